import type { Change, DigestAt, Feed, FeedSnapshot, Profile, Snapshot } from '../feed/index.ts';
import { DigestCheck, type DigestCheckResult } from './digest-check.ts';
import { FollowerStoppedError, ProfileLimitReachedError, SnapshotOutdatedError } from './errors.ts';
import { NOT_REGISTERED, type ProfileId } from './profile-id.ts';
import type { Profiles } from './profiles.ts';
import { RunningDigest } from './running-digest.ts';
import type { AllowlistTable, TableEdit } from './table.ts';
import { WaitingChanges } from './waiting-changes.ts';

/** change: one could not be applied, and retrying did not help. */
export type ReloadReason = 'gap' | 'epoch' | 'rollback' | 'overflow' | 'digest' | 'change';

export interface Reload {
  readonly reason: ReloadReason;
  readonly entries: number;
  readonly durationMs: number;
}

export interface AllowlistFollowerOptions {
  readonly feed: Feed;
  readonly table: AllowlistTable;
  /** Used by this table alone. */
  readonly profiles: Profiles;
  /** Monotonic clock, in ms. */
  readonly now: () => number;
  /** Called after a reload that a gap, another epoch or a differing digest made necessary. */
  readonly onReload?: (reload: Reload) => void;
  /**
   * Called when a change could not be applied or a load failed. Both are retried with backoff; until then the
   * allowlist stays as it was.
   */
  readonly onError?: (error: unknown) => void;
  /** Starts a timer and returns a function that cancels it. */
  readonly setTimer?: (callback: () => void, delayMs: number) => () => void;
  /** Changes kept while a snapshot loads; with more, the snapshot is loaded again. */
  readonly maxPending?: number;
}

export interface FollowerState {
  /** restored: serving the allowlist from disk, because the feed has not delivered one yet. */
  readonly phase: 'idle' | 'loading' | 'restored' | 'following' | 'reloading' | 'stopped';
  readonly epoch: string | null;
  readonly seq: number;
  readonly entries: number;
  /** Changes that failed and are being retried: the allowlist is not what the feed says. */
  readonly unapplied: number;
  /** Changes received and not applied yet. */
  readonly lagChanges: number;
  /** Since when the allowlist lags behind the feed, in ms of the clock; null if it is up to date. */
  readonly behindSinceMs: number | null;
  readonly reloads: number;
  /** Changes that could not be applied, and failed loads. */
  readonly errors: number;
  /** Entries of the last snapshot from which no packet can come. */
  readonly skipped: number;
  readonly loadedAtMs: number | null;
  /** Digest of the served allowlist (feed/digest.ts); null while unknown. */
  readonly digest: string | null;
  /** Result of comparing the digest with the feed's at this change; unchecked until that has happened. */
  readonly digestCheck: DigestCheckResult;
  /** Comparisons in which the digests differed. */
  readonly digestMismatches: number;
}

/** Served if the feed delivers no allowlist in time. */
export interface FollowerFallback {
  /** The last known allowlist; null: nobody is registered until the feed delivers one. */
  readonly lastKnown: Snapshot | null;
  readonly waitMs: number;
  /** Resolves as soon as waiting is pointless. */
  readonly giveUp?: Promise<void>;
}

const DEFAULT_MAX_PENDING = 100_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

/**
 * Keeps the table equal to the feed: a snapshot, then change by change. After a gap in the log or in another
 * epoch it loads a new snapshot and serves the old allowlist until that is complete.
 */
export class AllowlistFollower {
  private readonly options: AllowlistFollowerOptions;
  private readonly maxPending: number;
  private readonly digest: RunningDigest;
  private readonly digestCheck: DigestCheck;
  private readonly waiting = new WaitingChanges();
  private cancelRetry: (() => void) | null = null;
  /** Reason for another reload, signalled by the feed while a snapshot was loading. */
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
  /** Changes received since the snapshot was requested. */
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
      unapplied: this.waiting.failed,
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

  /** True once the served allowlist has all of the changes `from` to `to`. */
  hasApplied(from: number, to: number): boolean {
    return this.phase === 'following' && this.seq >= to && !this.waiting.hasAny(from, to);
  }

  /** Packs the served allowlist, in one go: 10 ms for a million entries. Null before the first load. */
  snapshot(): Snapshot | null {
    if (this.epoch === null) return null;
    const { table, profiles } = this.options;
    return { version: 1, epoch: this.epoch, seq: this.seq, ...table.packSnapshot(profiles) };
  }

  /**
   * Resolves when the allowlist is loaded and followed, or when the fallback is served instead. With a
   * fallback, loading goes on in the background and its errors go to `onError`.
   *
   * @throws what the first snapshot failed with, ProfileLimitReachedError, FollowerStoppedError; with a
   *   fallback only what installing that fails with
   */
  async start(fallback?: FollowerFallback): Promise<void> {
    if (this.phase !== 'idle') throw new Error('A follower can be started only once');
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

  /** Stops following. The table stays as it is. */
  stop(): void {
    this.phase = 'stopped';
    this.unsubscribe();
    this.cancelTimer();
    this.cancelRetry?.();
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

  /** Applies changes in the order of the log. @returns why the allowlist must be reloaded, or null */
  private follow(changes: readonly Change[], epoch: string | undefined): ReloadReason | null {
    if (epoch !== undefined && epoch !== this.epoch) return 'epoch';
    this.heardSeq = Math.max(this.heardSeq, changes[changes.length - 1].seq);
    for (const change of changes) {
      if (change.seq <= this.seq) continue;
      if (change.seq !== this.seq + 1) return 'gap';
      this.apply(change);
      this.seq = change.seq;
      // While a change waits, the digests differ for that reason.
      if (this.waiting.isEmpty && this.digestCheck.reached(change.seq)) return 'digest';
    }
    return null;
  }

  /** Reloads now, or after the load that is under way. */
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
    else if (this.waiting.isEmpty && this.digestCheck.differs(at)) this.handleLoss('digest');
  }

  /**
   * Applies one change, or makes it wait: an error must not stop the changes behind it, nor lose this one. Removals
   * and profiles in use are never held back.
   */
  private apply(change: Change): void {
    const { profiles, now } = this.options;
    this.waiting.supersede(change.prefix);
    const isNewProfile = change.kind === 'set' && !profiles.has(change.profile);
    if (isNewProfile && !this.waiting.pace(change, now())) {
      this.retryLater();
      return;
    }
    try {
      this.applyNow(change);
    } catch (error) {
      this.waiting.addFailed(change, now());
      this.reportError(error);
      this.retryLater();
    }
  }

  /** @throws without having changed anything */
  private applyNow(change: Change): void {
    const { table, profiles } = this.options;
    const { prefix } = change;
    const [previous, next] =
      change.kind === 'set'
        ? this.set(prefix, change.profile)
        : ([table.remove(prefix), NOT_REGISTERED] as const);
    this.digest.change(prefix, previous, next);
    if (previous !== NOT_REGISTERED) profiles.release(previous);
  }

  private retryLater(): void {
    const dueMs = this.waiting.nextDueMs;
    if (dueMs === null || this.cancelRetry !== null) return;
    const { setTimer = unrefTimer, now } = this.options;
    this.cancelRetry = setTimer(() => this.retryWaiting(), Math.max(1, dueMs - now()));
  }

  private retryWaiting(): void {
    this.cancelRetry = null;
    if (!this.isRunning) return;
    const isHopeful = this.waiting.retry(
      this.options.now(),
      (change) => this.applyNow(change),
      (error) => error instanceof ProfileLimitReachedError,
    );
    if (!isHopeful && this.phase === 'following') this.handleLoss('change');
    this.retryLater();
  }

  /** @returns the previous and the new profile of the prefix */
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

  /** Retries with backoff until the allowlist is loaded and followed, or the follower is stopped. */
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
   * Loads a snapshot and applies the changes received since it was requested. Earlier changes are in the
   * snapshot, or belong to another epoch.
   *
   * @returns why the snapshot must be loaded again, or null
   */
  private async loadOnce(): Promise<ReloadReason | null> {
    const heardBefore = this.heardSeq;
    this.clearPending();
    this.lost = null;
    const snapshot = await this.options.feed.snapshot();
    if (!this.isRunning) throw new FollowerStoppedError();
    const seq = seqOf(snapshot);
    // The allowlist from disk may have been installed while the snapshot loaded.
    const least = Math.max(heardBefore, this.seq);
    const isOutdated = snapshot.epoch === this.epoch && seq < least && snapshot.isRollback !== true;
    if (isOutdated) throw new SnapshotOutdatedError(seq, least);
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
    this.waiting.clear();
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

/** The change at which a snapshot stands with its own changes applied. */
function seqOf({ seq, changes = [] }: FeedSnapshot): number {
  return seq + changes.length;
}

/** The timer alone does not keep the process alive. */
function unrefTimer(callback: () => void, delayMs: number): () => void {
  const timer = setTimeout(callback, delayMs).unref();
  return () => clearTimeout(timer);
}
