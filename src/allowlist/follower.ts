import type { Change, DigestAt, Feed, FeedSnapshot, Profile, Snapshot } from '../feed/index.ts';
import { DigestCheck, type DigestCheckResult } from './digest-check.ts';
import { FollowerStoppedError, SnapshotOutdatedError } from './errors.ts';
import { NOT_REGISTERED, type ProfileId } from './profile-id.ts';
import type { Profiles } from './profiles.ts';
import { RunningDigest } from './running-digest.ts';
import type { AllowlistTable, TableEdit } from './table.ts';

export type ReloadReason = 'gap' | 'epoch' | 'overflow' | 'digest';

export interface Reload {
  readonly reason: ReloadReason;
  readonly entries: number;
  readonly durationMs: number;
}

export interface AllowlistFollowerOptions {
  readonly feed: Feed;
  readonly table: AllowlistTable;
  /** Referred to by this table alone. */
  readonly profiles: Profiles;
  /** Milliseconds. */
  readonly now: () => number;
  /** Told after the list was loaded again because the log could not be followed. */
  readonly onReload?: (reload: Reload) => void;
  /** Told of what could not be applied or loaded; the list stays as it was, and a load is tried again. */
  readonly onError?: (error: unknown) => void;
  /** Calls back after a while; returns what cancels it. */
  readonly setTimer?: (callback: () => void, delayMs: number) => () => void;
  /** How many changes are kept while a snapshot is on its way. */
  readonly maxPending?: number;
}

export interface FollowerState {
  /** restored: a list from disk is served, and the feed has not given one yet. */
  readonly phase: 'idle' | 'loading' | 'restored' | 'following' | 'reloading' | 'stopped';
  readonly epoch: string | null;
  readonly seq: number;
  readonly entries: number;
  /** Changes that were heard of and do not show yet. */
  readonly lagChanges: number;
  /** When the list fell behind what was heard, by the clock; null where it is not behind. */
  readonly behindSinceMs: number | null;
  readonly reloads: number;
  /** Changes that could not be applied, and loads that failed. */
  readonly errors: number;
  /** Entries of the last snapshot that no packet can come from. */
  readonly skipped: number;
  readonly loadedAtMs: number | null;
  /** Of the list as it stands (feed/digest.ts); null while it is not known. */
  readonly digest: string | null;
  /**
   * Whether the list as it stands is the feed's: its digest was compared with the one that the feed told for the same
   * change; unchecked where that has not been done (yet).
   */
  readonly digestCheck: DigestCheckResult;
  /** How often the digest was not the one that the feed told. */
  readonly digestMismatches: number;
}

/** What to serve where the feed gives no list in time. */
export interface FollowerFallback {
  /** The last known one; null where there is none: then nobody is registered until the feed gives a list. */
  readonly lastKnown: Snapshot | null;
  readonly waitMs: number;
  /** Settles when there is nothing to wait for. */
  readonly giveUp?: Promise<void>;
}

const DEFAULT_MAX_PENDING = 100_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

/**
 * Keeps the table equal to what the feed tells: a snapshot, then change by change. A gap in the log or another
 * epoch means a new snapshot; until that is there, the list that was served is served on. Never half a list.
 */
export class AllowlistFollower {
  private readonly options: AllowlistFollowerOptions;
  private readonly maxPending: number;
  private readonly digest: RunningDigest;
  private readonly digestCheck: DigestCheck;
  /** What the feed signalled while a snapshot was on its way. */
  private lost: ReloadReason | null = null;
  private phase: FollowerState['phase'] = 'idle';
  private epoch: string | null = null;
  private seq = 0;
  private heardSeq = 0;
  private reloads = 0;
  private errors = 0;
  private skipped = 0;
  private loadedAtMs: number | null = null;
  private behindSinceMs: number | null = null;
  /** What was heard since the snapshot was asked for. */
  private pending: { changes: readonly Change[]; epoch: string | undefined }[] = [];
  private pendingCount = 0;
  private unsubscribe: () => void = () => {};
  private cancelTimer: () => void = () => {};

  constructor(options: AllowlistFollowerOptions) {
    this.options = options;
    this.maxPending = options.maxPending ?? DEFAULT_MAX_PENDING;
    this.digest = new RunningDigest(options.profiles);
    this.digestCheck = new DigestCheck(this.digest, options.now);
  }

  get state(): FollowerState {
    return {
      phase: this.phase,
      epoch: this.epoch,
      seq: this.seq,
      entries: this.options.table.size,
      lagChanges: Math.max(0, this.heardSeq - this.seq),
      behindSinceMs: this.behindSinceMs,
      reloads: this.reloads,
      errors: this.errors,
      skipped: this.skipped,
      loadedAtMs: this.loadedAtMs,
      digest: this.digest.value,
      digestCheck: this.digestCheck.resultAt(this.seq),
      digestMismatches: this.digestCheck.mismatches,
    };
  }

  /**
   * The list as it stands, or null before there is one. It is packed in one go: 10 ms for a million entries.
   */
  snapshot(): Snapshot | null {
    if (this.epoch === null) return null;
    const { table, profiles } = this.options;
    return { version: 1, epoch: this.epoch, seq: this.seq, ...table.packSnapshot(profiles) };
  }

  /**
   * Resolves when the list is loaded and followed. With a fallback also when that is served instead; the feed's
   * list is then taken whenever it comes, and errors on the way are told to `onError`.
   *
   * @throws what the first snapshot failed with; ProfileLimitReached; FollowerStopped. With a fallback only what
   * loading that fails with.
   */
  async start(fallback?: FollowerFallback): Promise<void> {
    if (this.phase !== 'idle') throw new Error('A follower is started once');
    this.phase = 'loading';
    this.unsubscribe = this.options.feed.subscribe((changes, epoch) => this.hear(changes, epoch), {
      lost: (reason) => this.handleLoss(reason),
      digest: (at) => this.compare(at),
    });
    if (fallback !== undefined) {
      await this.startWith(fallback);
      return;
    }
    try {
      for (let attempt = 0; (await this.loadOnce()) !== null; attempt++) await this.pause(attempt);
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  private async startWith({ lastKnown, waitMs, giveUp }: FollowerFallback): Promise<void> {
    const { setTimer = unrefTimer } = this.options;
    let cancel: () => void = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = setTimer(resolve, waitMs);
    });
    await Promise.race([this.load(), late, ...(giveUp === undefined ? [] : [giveUp])]);
    cancel();
    if (this.phase !== 'loading' || lastKnown === null) return;
    this.install(lastKnown);
    this.phase = 'restored';
  }

  /** Hears nothing any more. The table stays as it is. */
  stop(): void {
    this.phase = 'stopped';
    this.unsubscribe();
    this.cancelTimer();
    this.clearPending();
  }

  private hear(changes: readonly Change[], epoch: string | undefined): void {
    if (this.phase === 'stopped' || changes.length === 0) return;
    if (this.phase === 'following') {
      const reason = this.follow(changes, epoch);
      if (reason) this.handleLoss(reason);
      return;
    }
    this.behindSinceMs ??= this.options.now();
    this.heardSeq = Math.max(this.heardSeq, changes[changes.length - 1].seq);
    this.pendingCount += changes.length;
    if (this.pendingCount <= this.maxPending) this.pending.push({ changes, epoch });
    else this.pending = [];
  }

  /** Applies what comes next in the log; says why, if something else came. */
  private follow(changes: readonly Change[], epoch: string | undefined): ReloadReason | null {
    if (epoch !== undefined && epoch !== this.epoch) return 'epoch';
    this.heardSeq = Math.max(this.heardSeq, changes[changes.length - 1].seq);
    for (const change of changes) {
      if (change.seq <= this.seq) continue;
      if (change.seq !== this.seq + 1) return 'gap';
      this.apply(change);
      this.seq = change.seq;
      if (this.digestCheck.reached(change.seq)) return 'digest';
    }
    return null;
  }

  /** The list cannot be followed from where it stands. */
  private handleLoss(reason: ReloadReason): void {
    if (this.phase !== 'following') {
      this.lost = reason;
      return;
    }
    this.behindSinceMs = this.options.now();
    void this.reload(reason);
  }

  private compare(at: DigestAt): void {
    if (this.phase !== 'following' || at.epoch !== this.epoch || at.seq < this.seq) return;
    if (at.seq > this.seq) this.digestCheck.expect(at);
    else if (this.digestCheck.differs(at)) this.handleLoss('digest');
  }

  /** A change that cannot be applied must not stop those behind it. */
  private apply(change: Change): void {
    const { table, profiles } = this.options;
    const { prefix } = change;
    try {
      const [previous, next] =
        change.kind === 'set'
          ? this.set(prefix, change.profile)
          : ([table.remove(prefix), NOT_REGISTERED] as const);
      this.digest.change(prefix, previous, next);
      if (previous !== NOT_REGISTERED) profiles.release(previous);
    } catch (error) {
      this.digest.spoil();
      this.reportError(error);
    }
  }

  /** @returns the profile that the prefix had, and the one that it has. */
  private set(prefix: Change['prefix'], profile: Profile): readonly [ProfileId, ProfileId] {
    const { table, profiles } = this.options;
    const id = profiles.intern(profile);
    try {
      return [table.set(prefix, id), id];
    } catch (error) {
      profiles.release(id);
      throw error;
    }
  }

  private async reload(reason: ReloadReason): Promise<void> {
    const { now, onReload, table } = this.options;
    const startedMs = now();
    this.phase = 'reloading';
    await this.load();
    if (!this.isRunning) return;
    this.reloads += 1;
    onReload?.({ reason, entries: table.size, durationMs: now() - startedMs });
  }

  /** Tries until a list is loaded and followed, or the follower is stopped. */
  private async load(): Promise<void> {
    for (let attempt = 0; this.isRunning; attempt++) {
      try {
        if ((await this.loadOnce()) === null) return;
      } catch (error) {
        if (this.isRunning) this.reportError(error);
      }
      await this.pause(attempt);
    }
  }

  /**
   * Loads a snapshot and what was heard since it was asked for. What was heard before need not be kept: it is in
   * the snapshot, or of another epoch.
   *
   * @returns null, or why the list must be loaded once more.
   */
  private async loadOnce(): Promise<ReloadReason | null> {
    const heardBefore = this.heardSeq;
    this.clearPending();
    this.lost = null;
    const snapshot = await this.options.feed.snapshot();
    if (!this.isRunning) throw new FollowerStoppedError();
    const seq = seqOf(snapshot);
    // A list from disk may have been installed meanwhile.
    const least = Math.max(heardBefore, this.seq);
    if (snapshot.epoch === this.epoch && seq < least) throw new SnapshotOutdatedError(seq, least);
    this.install(snapshot);
    if (this.pendingCount > this.maxPending) return 'overflow';
    const pending = this.pending;
    this.clearPending();
    for (const { changes, epoch } of pending) {
      const reason = this.follow(changes, epoch);
      if (reason) return reason;
    }
    if (this.lost !== null) return this.lost;
    this.phase = 'following';
    this.behindSinceMs = null;
    return null;
  }

  private install(snapshot: FeedSnapshot): void {
    const { table, profiles, now } = this.options;
    const { changes = [] } = snapshot;
    const ids: ProfileId[] = [];
    const edits: TableEdit[] = [];
    try {
      for (const profile of snapshot.profiles) ids.push(profiles.intern(profile));
      for (const change of changes) {
        const profile = change.kind === 'set' ? profiles.intern(change.profile) : NOT_REGISTERED;
        edits.push({ prefix: change.prefix, profile });
      }
      const { added, removed, skipped, replaced } = table.load(snapshot.groups, ids, edits);
      for (let id = 1; id < added.length; id++) {
        profiles.retain(id as ProfileId, added[id]);
        profiles.release(id as ProfileId, removed[id]);
      }
      this.skipped = skipped;
      this.digest.begin(snapshot);
      edits.forEach(({ prefix, profile }, index) => {
        if (replaced[index] >= 0) this.digest.change(prefix, replaced[index] as ProfileId, profile);
        else this.digest.spoil();
      });
    } finally {
      for (const id of ids) profiles.release(id);
      for (const { profile } of edits) if (profile !== NOT_REGISTERED) profiles.release(profile);
    }
    this.epoch = snapshot.epoch;
    this.seq = seqOf(snapshot);
    this.heardSeq = this.seq;
    this.digestCheck.reset();
    this.loadedAtMs = now();
  }

  private get isRunning(): boolean {
    return this.phase !== 'stopped';
  }

  private clearPending(): void {
    this.pending = [];
    this.pendingCount = 0;
  }

  private reportError(error: unknown): void {
    this.errors += 1;
    this.options.onError?.(error);
  }

  private pause(attempt: number): Promise<void> {
    const setTimer = this.options.setTimer ?? unrefTimer;
    const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt, 5));
    return new Promise((resolve) => {
      if (!this.isRunning) return resolve();
      const cancel = setTimer(resolve, delayMs);
      this.cancelTimer = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** Where the list stands once its changes are applied. */
function seqOf({ seq, changes = [] }: FeedSnapshot): number {
  return seq + changes.length;
}

/** A retry does not keep a process alive that has nothing else to do. */
function unrefTimer(callback: () => void, delayMs: number): () => void {
  const timer = setTimeout(callback, delayMs).unref();
  return () => clearTimeout(timer);
}
