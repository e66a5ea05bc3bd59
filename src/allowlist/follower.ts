import type { Change, Feed, Profile, Snapshot } from '../feed/index.ts';
import { FollowerStopped, SnapshotOutdated } from './errors.ts';
import type { ProfileId } from './profile-id.ts';
import type { Profiles } from './profiles.ts';
import type { AllowlistTable } from './table.ts';

export type ReloadReason = 'gap' | 'epoch' | 'overflow';

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
  readonly onFault?: (fault: unknown) => void;
  /** Calls back after a while; returns what cancels it. */
  readonly setTimer?: (callback: () => void, delayMs: number) => () => void;
  /** How many changes are kept while a snapshot is on its way. */
  readonly maxPending?: number;
}

export interface FollowerState {
  readonly phase: 'idle' | 'loading' | 'following' | 'reloading' | 'stopped';
  readonly epoch: string | null;
  readonly seq: number;
  readonly entries: number;
  /** Changes that were heard of and do not show yet. */
  readonly lagChanges: number;
  /** When the list fell behind what was heard, by the clock; null where it is not behind. */
  readonly behindSinceMs: number | null;
  readonly reloads: number;
  /** Changes that could not be applied, and loads that failed. */
  readonly faults: number;
  /** Entries of the last snapshot that no packet can come from. */
  readonly skipped: number;
  readonly loadedAtMs: number | null;
}

const DEFAULT_MAX_PENDING = 100_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

/**
 * Keeps the table equal to what the feed tells: a snapshot, then change by change. A gap in the log or another
 * epoch means a new snapshot; until that is there, the list that was served is served on. Never half a list.
 */
export class AllowlistFollower {
  readonly #options: AllowlistFollowerOptions;
  readonly #maxPending: number;
  #phase: FollowerState['phase'] = 'idle';
  #epoch: string | null = null;
  #seq = 0;
  #heardSeq = 0;
  #reloads = 0;
  #faults = 0;
  #skipped = 0;
  #loadedAtMs: number | null = null;
  #behindSinceMs: number | null = null;
  /** What was heard since the snapshot was asked for. */
  #pending: { changes: readonly Change[]; epoch: string | undefined }[] = [];
  #pendingCount = 0;
  #unsubscribe: () => void = () => {};
  #cancelTimer: () => void = () => {};

  constructor(options: AllowlistFollowerOptions) {
    this.#options = options;
    this.#maxPending = options.maxPending ?? DEFAULT_MAX_PENDING;
  }

  get state(): FollowerState {
    return {
      phase: this.#phase,
      epoch: this.#epoch,
      seq: this.#seq,
      entries: this.#options.table.size,
      lagChanges: Math.max(0, this.#heardSeq - this.#seq),
      behindSinceMs: this.#behindSinceMs,
      reloads: this.#reloads,
      faults: this.#faults,
      skipped: this.#skipped,
      loadedAtMs: this.#loadedAtMs,
    };
  }

  /**
   * Resolves when the list is loaded and followed.
   *
   * @throws what the first snapshot failed with; ProfileLimitReached; FollowerStopped.
   */
  async start(): Promise<void> {
    if (this.#phase !== 'idle') throw new Error('A follower is started once');
    this.#phase = 'loading';
    this.#unsubscribe = this.#options.feed.subscribe((changes, epoch) => this.#hear(changes, epoch));
    try {
      for (let attempt = 0; (await this.#loadOnce()) !== null; attempt++) await this.#pause(attempt);
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Hears nothing any more. The table stays as it is. */
  stop(): void {
    this.#phase = 'stopped';
    this.#unsubscribe();
    this.#cancelTimer();
    this.#clearPending();
  }

  #hear(changes: readonly Change[], epoch: string | undefined): void {
    if (this.#phase === 'stopped' || changes.length === 0) return;
    if (this.#phase === 'following') {
      const reason = this.#follow(changes, epoch);
      if (reason) {
        this.#behindSinceMs = this.#options.now();
        void this.#reload(reason);
      }
      return;
    }
    this.#behindSinceMs ??= this.#options.now();
    this.#heardSeq = Math.max(this.#heardSeq, changes[changes.length - 1].seq);
    this.#pendingCount += changes.length;
    if (this.#pendingCount <= this.#maxPending) this.#pending.push({ changes, epoch });
    else this.#pending = [];
  }

  /** Applies what comes next in the log; says why, if something else came. */
  #follow(changes: readonly Change[], epoch: string | undefined): ReloadReason | null {
    if (epoch !== undefined && epoch !== this.#epoch) return 'epoch';
    this.#heardSeq = Math.max(this.#heardSeq, changes[changes.length - 1].seq);
    for (const change of changes) {
      if (change.seq <= this.#seq) continue;
      if (change.seq !== this.#seq + 1) return 'gap';
      this.#apply(change);
      this.#seq = change.seq;
    }
    return null;
  }

  /** A change that cannot be applied must not stop those behind it. */
  #apply(change: Change): void {
    const { table, profiles } = this.#options;
    try {
      const previous =
        change.kind === 'set' ? this.#set(change.prefix, change.profile) : table.remove(change.prefix);
      if (previous !== 0) profiles.release(previous);
    } catch (error) {
      this.#fault(error);
    }
  }

  #set(prefix: Change['prefix'], profile: Profile): ProfileId {
    const { table, profiles } = this.#options;
    const id = profiles.intern(profile);
    try {
      return table.set(prefix, id);
    } catch (error) {
      profiles.release(id);
      throw error;
    }
  }

  async #reload(reason: ReloadReason): Promise<void> {
    const { now, onReload, table } = this.#options;
    const startedMs = now();
    this.#phase = 'reloading';
    for (let attempt = 0; this.#isRunning; attempt++) {
      try {
        if ((await this.#loadOnce()) === null) {
          this.#reloads += 1;
          onReload?.({ reason, entries: table.size, durationMs: now() - startedMs });
          return;
        }
      } catch (error) {
        if (this.#isRunning) this.#fault(error);
      }
      await this.#pause(attempt);
    }
  }

  /**
   * Loads a snapshot and what was heard since it was asked for. What was heard before need not be kept: it is in
   * the snapshot, or of another epoch.
   *
   * @returns null, or why the list must be loaded once more.
   */
  async #loadOnce(): Promise<ReloadReason | null> {
    const heardBefore = this.#heardSeq;
    this.#clearPending();
    const snapshot = await this.#options.feed.snapshot();
    if (!this.#isRunning) throw new FollowerStopped();
    if (snapshot.epoch === this.#epoch && snapshot.seq < heardBefore) {
      throw new SnapshotOutdated(snapshot.seq, heardBefore);
    }
    this.#install(snapshot);
    if (this.#pendingCount > this.#maxPending) return 'overflow';
    const pending = this.#pending;
    this.#clearPending();
    for (const { changes, epoch } of pending) {
      const reason = this.#follow(changes, epoch);
      if (reason) return reason;
    }
    this.#phase = 'following';
    this.#behindSinceMs = null;
    return null;
  }

  #install(snapshot: Snapshot): void {
    const { table, profiles, now } = this.#options;
    const ids: ProfileId[] = [];
    try {
      for (const profile of snapshot.profiles) ids.push(profiles.intern(profile));
      const { added, removed, skipped } = table.load(snapshot.groups, ids);
      for (let id = 1; id < added.length; id++) {
        profiles.retain(id as ProfileId, added[id]);
        profiles.release(id as ProfileId, removed[id]);
      }
      this.#skipped = skipped;
    } finally {
      for (const id of ids) profiles.release(id);
    }
    this.#epoch = snapshot.epoch;
    this.#seq = snapshot.seq;
    this.#heardSeq = snapshot.seq;
    this.#loadedAtMs = now();
  }

  get #isRunning(): boolean {
    return this.#phase !== 'stopped';
  }

  #clearPending(): void {
    this.#pending = [];
    this.#pendingCount = 0;
  }

  #fault(error: unknown): void {
    this.#faults += 1;
    this.#options.onFault?.(error);
  }

  #pause(attempt: number): Promise<void> {
    const setTimer = this.#options.setTimer ?? unrefTimer;
    const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt, 5));
    return new Promise((resolve) => {
      if (!this.#isRunning) return resolve();
      const cancel = setTimer(resolve, delayMs);
      this.#cancelTimer = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** A retry does not keep a process alive that has nothing else to do. */
function unrefTimer(callback: () => void, delayMs: number): () => void {
  const timer = setTimeout(callback, delayMs).unref();
  return () => clearTimeout(timer);
}
