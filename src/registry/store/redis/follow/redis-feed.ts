import {
  type Change,
  decodeSnapshot,
  type Feed,
  type FeedListener,
  type FeedSignals,
  type FeedSnapshot,
  type LostReason,
  type Snapshot,
  SnapshotCorruptError,
  SnapshotVersionUnknownError,
} from '../../../../feed/index.ts';
import { checkPosition, type Position, type PositionVerdict } from '../../position.ts';
import { KEY_SPACE_FORMAT, Key, type Meta } from '../keys.ts';
import { refusalOf } from '../redis-error.ts';
import { FeedClosedError, LogGapError } from './feed-errors.ts';
import { BATCH, FeedLink } from './feed-link.ts';
import type { FeedPhase, RedisFeedState } from './feed-state.ts';
import { SnapshotLoad } from './snapshot-load.ts';

export interface RedisFeedOptions {
  /** redis:// or rediss://, as `store` in the configuration; may be a replica's. */
  readonly url: string;
  /** The position of the allowlist on disk: a store that has less has lost data. */
  readonly held?: Position | null;
  /** Milliseconds of a clock that does not jump. */
  readonly now: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
  /** Called when the phase changes, with the phase before. */
  readonly onPhase?: (state: RedisFeedState, before: FeedPhase) => void;
  /** Maximum delay of a reload; by default it depends on the snapshot's size. */
  readonly spreadMs?: number;
  /** Newest key space format that this reader understands. Default KEY_SPACE_FORMAT. */
  readonly format?: number;
}

/** A feed that survives its store: while the store is away or wrong, the feed waits and reports it. */
export interface RedisFeed extends Feed {
  readonly state: RedisFeedState;
  /** Resolves when the store is first found to have no allowlist to load. */
  readonly withoutList: Promise<void>;
  /** Stops; a pending snapshot is rejected. */
  close(): Promise<void>;
}

/** Interval of looking at a store that cannot be followed now. */
const LOOK_MS = 500;
const RETRY_MS = 100;
/** A read that had changes is followed by the next one after this time: a burst costs 80 commands a second. */
const GATHER_MS = 25;
/** A snapshot's load also reads the log this often, well before its end is trimmed. */
const LOG_EVERY_MS = 5_000;
/** Delay before a corrupt snapshot is read again. */
const CORRUPT_RETRY_MS = 3_000;
/** A load within this time of the start concerns one edge; a later one may concern all of them. */
const START_MS = 3_000;
/** Spreads loads so that a thousand edges load a megabyte each within a second: 1 GB/s in all. */
const SPREAD_BASE_MS = 1_000;
const SPREAD_MS_PER_BYTE = 1_000 / 1e6;
const MAX_SPREAD_MS = 60_000;

/**
 * Opens the feed, which connects in the background.
 *
 * @throws StoreUnavailableError for an invalid URL
 */
export function openRedisFeed(options: RedisFeedOptions): RedisFeed {
  return new StreamFeed(options);
}

interface PendingSnapshot {
  readonly promise: Promise<FeedSnapshot>;
  readonly resolve: (snapshot: FeedSnapshot) => void;
  readonly reject: (error: unknown) => void;
}

class StreamFeed implements RedisFeed {
  private readonly options: RedisFeedOptions;
  private readonly link: FeedLink;
  private readonly openedAtMs: number;
  private readonly subscribers = new Set<{ listener: FeedListener; signals: FeedSignals | undefined }>();
  private readonly running: Promise<void>;
  private readonly closing = new AbortController();
  private readonly unavailable = Promise.withResolvers<void>();
  /** The position that was delivered or is held; the store is compared with it. */
  private held: Position | null;
  /** Identifies the log entry at `held`; null: unknown. */
  private mark: string | null = null;
  /** True while changes after `held` are delivered; else a snapshot is needed first. */
  private isTailing = false;
  /** True if another server may answer now: the log entry at `held` is compared before following on. */
  private isDoubtful = false;
  private connections = 0;
  private wanted: PendingSnapshot | null = null;
  private loading: SnapshotLoad | null = null;
  private loadAtMs: number | null = null;
  private phase: FeedPhase = 'disconnected';
  private reason: string | null = null;
  private headSeq = 0;
  /** The highest change that is known to be on replicas too. */
  private confirmedSeq = 0;
  private isRollback = false;
  /** When the log is read again: the first change after a quiet time is read at once, later ones together. */
  private gatherUntilMs = 0;
  /** The heartbeat at which a store that lacks changes was first seen. */
  private vouched: { connection: number; heartbeatMs: number } | null = null;
  /** A change of the store that is not delivered yet, and when it was first seen. */
  private goal: { seq: number; atMs: number } | null = null;
  private currentAtMs: number | null = null;
  private heartbeat = { value: 0, atMs: null as number | null };

  constructor(options: RedisFeedOptions) {
    this.options = options;
    this.held = options.held ?? null;
    this.openedAtMs = options.now();
    this.link = new FeedLink(options.url);
    this.running = this.run();
  }

  get state(): RedisFeedState {
    const seq = this.held?.seq ?? 0;
    return {
      phase: this.phase,
      reason: this.reason,
      headSeq: this.headSeq,
      lagChanges: Math.max(0, this.headSeq - seq),
      behindSinceMs: this.goal?.atMs ?? null,
      currentAtMs: this.currentAtMs,
      heartbeatAtMs: this.heartbeat.atMs,
      connections: this.link.connections,
    };
  }

  get withoutList(): Promise<void> {
    return this.unavailable.promise;
  }

  /** Resolves once the store has an allowlist that may be served, however long that takes. */
  snapshot(): Promise<FeedSnapshot> {
    if (this.isClosed) return Promise.reject(new FeedClosedError());
    this.isTailing = false;
    this.wanted ??= pendingSnapshot();
    return this.wanted.promise;
  }

  subscribe(listener: FeedListener, signals?: FeedSignals): () => void {
    const subscriber = { listener, signals };
    this.subscribers.add(subscriber);
    return () => this.subscribers.delete(subscriber);
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.wanted?.reject(new FeedClosedError());
    this.link.close();
    await this.running;
  }

  private get isClosed(): boolean {
    return this.closing.signal.aborted;
  }

  private async run(): Promise<void> {
    while (!this.isClosed) {
      try {
        await this.link.ready();
        if (this.connections !== this.link.connections) {
          this.connections = this.link.connections;
          this.isDoubtful = true;
        }
        if (this.isTailing && !this.isDoubtful) await this.tail();
        else await this.look();
      } catch (error) {
        if (this.isClosed) return;
        await this.recover(error);
      }
    }
  }

  /** Handles errors of the connection and the store (LOADING and the like): wait and try again. */
  private async recover(error: unknown): Promise<void> {
    if (error instanceof LogGapError) {
      this.loading = null;
      this.lose('gap');
      return;
    }
    const { code } = error as { code?: string };
    if (code === 'snapshot_corrupt' || code === 'snapshot_version_unknown') {
      this.loadAtMs = this.options.now() + CORRUPT_RETRY_MS;
    }
    if (error instanceof SnapshotVersionUnknownError) this.enter('newer-format', 'snapshot');
    else if (error instanceof SnapshotCorruptError || error instanceof RangeError) this.enter('corrupt');
    else this.enter('disconnected', refusalOf(error) ?? this.link.refusal);
    await this.pause(this.phase === 'disconnected' ? RETRY_MS : LOOK_MS);
  }

  /** Examines a store that is not followed at the moment. */
  private async look(): Promise<void> {
    const meta = await this.link.meta();
    this.note(meta);
    const verdict = await this.examine(meta);
    if (verdict.state !== 'follow' && verdict.state !== 'adopted') {
      this.enter(verdict.state, verdict.state === 'lost-data' ? verdict.reason : null);
      await this.pause(LOOK_MS);
      return;
    }
    this.isDoubtful = false;
    if (this.isTailing && verdict.state === 'follow') {
      this.enter('following');
      return;
    }
    if (this.isTailing) this.lose('epoch');
    if (this.wanted === null) {
      this.enter('loading');
      await this.pause(RETRY_MS);
    } else if (await this.isTimeToLoad()) {
      await this.load(meta!);
    }
  }

  /** Checks the position, and compares the log entry at it where another server may answer. */
  private async examine(meta: Meta | null): Promise<PositionVerdict> {
    const verdict = this.check(meta, this.held);
    if (verdict.state === 'lost-data')
      return verdict.reason === 'older' ? this.judgeLoss(meta!, verdict) : verdict;
    if (verdict.state !== 'follow' || this.mark === null || !this.isDoubtful) return verdict;
    const found = await this.link.mark(this.held!.seq);
    if (found === null || found === this.mark) return verdict;
    return this.judgeLoss(meta!, { state: 'lost-data', reason: 'other-history' });
  }

  /**
   * Tells changes that no replica had confirmed from lost ones: after a failover they may be missing or replaced, and
   * nobody was told that they were made. The allowlist is then loaded anew. A control must have written its heartbeat on
   * this connection: it does so only where nothing that it has confirmed is missing.
   */
  private judgeLoss(meta: Meta, verdict: PositionVerdict): PositionVerdict {
    if (meta.confirmedSeq === null || this.held === null || meta.epoch !== this.held.epoch) return verdict;
    if (meta.seq < this.confirmedSeq || this.held.seq <= this.confirmedSeq) return verdict;
    this.vouched ??= { connection: this.connections, heartbeatMs: meta.heartbeatMs };
    if (this.vouched.connection !== this.connections) this.vouched = null;
    if (this.vouched === null || this.vouched.heartbeatMs === meta.heartbeatMs) return verdict;
    this.vouched = null;
    this.lose('rollback');
    this.isRollback = true;
    this.held = { epoch: meta.epoch, seq: this.confirmedSeq };
    this.mark = null;
    return { state: 'follow' };
  }

  private check(meta: Meta | null, held: Position | null): PositionVerdict {
    return checkPosition(meta, held, this.options.format ?? KEY_SPACE_FORMAT);
  }

  /** Delays a load that other edges may need at the same moment; an edge without an allowlist loads at once. */
  private async isTimeToLoad(): Promise<boolean> {
    const { now, random } = this.options;
    const isUrgent = this.held === null || now() - this.openedAtMs < START_MS;
    if (this.loadAtMs === null) {
      const spreadMs = isUrgent ? 0 : await this.spreadMs();
      this.loadAtMs = now() + random() * spreadMs;
    }
    const leftMs = this.loadAtMs - now();
    if (leftMs <= 0) return true;
    if (this.phase !== 'newer-format' && this.phase !== 'corrupt') this.enter('loading');
    await this.pause(Math.min(leftMs, LOOK_MS));
    return false;
  }

  private async spreadMs(): Promise<number> {
    if (this.options.spreadMs !== undefined) return this.options.spreadMs;
    const { bytes } = await this.link.snapshotBytes(Key.SNAPSHOT);
    return Math.min(MAX_SPREAD_MS, SPREAD_BASE_MS + bytes * SPREAD_MS_PER_BYTE);
  }

  private async load(meta: Meta): Promise<void> {
    const snapshot = await this.readSnapshot(meta);
    if (snapshot === null) return;
    this.enter('loading');
    const load = this.loading;
    this.loading = null;
    const known = load?.changes.filter(({ seq }) => seq > snapshot.seq) ?? [];
    const log = await this.readLog(snapshot, known);
    if (log === null) return;
    const { changes, mark } = log;
    this.held = { epoch: snapshot.epoch, seq: snapshot.seq + changes.length };
    this.mark = mark;
    this.isTailing = true;
    this.loadAtMs = null;
    this.goal = null;
    this.currentAtMs = this.options.now();
    const { resolve } = this.wanted!;
    this.wanted = null;
    resolve({ ...snapshot, changes, isRollback: this.isRollback });
    this.isRollback = false;
    this.enter('following');
  }

  /**
   * Reads the snapshot, or goes on reading one: an empty one while the log still has all changes; null if there is none
   * yet, or another one now.
   */
  private async readSnapshot(meta: Meta): Promise<Snapshot | null> {
    if (this.loading === null || this.loading.keyAt(meta) === null) {
      const isThere = meta.snapshotSeq >= 0 && meta.snapshotSeq >= meta.trimmed;
      this.loading = isThere ? new SnapshotLoad(meta, this.options.now) : null;
    }
    const load = this.loading;
    if (load !== null) {
      this.enter('loading');
      if (!(await this.readChunks(load, meta))) return null;
      const bytes = load.whole!;
      // A damaged snapshot is read anew.
      if (bytes.length > 0) {
        this.loading = null;
        const snapshot = decodeSnapshot(bytes);
        this.loading = load;
        if (snapshot.epoch === meta.epoch && snapshot.seq >= load.seq) return snapshot;
      }
      this.loading = null;
    }
    if (meta.trimmed === 0) return { version: 1, epoch: meta.epoch, seq: 0, profiles: [], groups: [] };
    this.enter('waiting');
    await this.pause(RETRY_MS);
    return null;
  }

  /** Reads what a snapshot still lacks, and the log beside it. @returns false if the store has it no longer */
  private async readChunks(load: SnapshotLoad, found: Meta): Promise<boolean> {
    let meta: Meta | null = found;
    let logAtMs = this.options.now() + LOG_EVERY_MS;
    while (load.whole === null) {
      const key = load.keyAt(meta);
      if (key === null || this.isClosed) {
        this.loading = null;
        return false;
      }
      const read = await load.advance(this.link, key);
      this.note(read.meta);
      if (read.hasMoved) meta = read.meta;
      else {
        // The snapshot has moved to the other key, or is gone.
        if (load.keyAt(read.meta) === key) return true;
        meta = read.meta;
      }
      if (this.options.now() < logAtMs) continue;
      const { changes } = await this.link.range(load.nextSeq);
      assertConsecutive(changes, load.nextSeq);
      for (const change of changes) load.changes.push(change);
      logAtMs = this.options.now() + LOG_EVERY_MS;
    }
    return true;
  }

  /**
   * Reads the log after a snapshot up to the store's last change; null if the store became another one.
   *
   * @param found changes after the snapshot that are known already
   */
  private async readLog(
    { seq, epoch }: Snapshot,
    found: Change[],
  ): Promise<{ changes: readonly Change[]; mark: string | null } | null> {
    let lastMark: string | null = null;
    for (;;) {
      const next = seq + found.length + 1;
      const { changes, mark, meta } = await this.link.range(next);
      this.note(meta);
      if (meta?.epoch !== epoch || this.check(meta, null).state !== 'follow') return null;
      assertConsecutive(changes, next);
      for (const change of changes) found.push(change);
      lastMark = mark ?? lastMark;
      if (seq + found.length >= meta.seq) return { changes: found, mark: lastMark };
      if (changes.length === 0) throw new LogGapError();
    }
  }

  /** Delivers the next changes of the log. The store is checked by the metadata read after them. */
  private async tail(): Promise<void> {
    const gatherMs = this.gatherUntilMs - this.options.now();
    if (gatherMs > 0) await this.pause(gatherMs);
    const held = this.held!;
    const knownSeq = this.headSeq;
    const { changes, mark, meta } = await this.link.follow(held.seq);
    if (!this.isTailing) return;
    this.note(meta);
    if (this.check(meta, held).state !== 'follow') {
      this.isDoubtful = true;
      return;
    }
    assertConsecutive(changes, held.seq + 1);
    // The store had these changes before this read, and the stream does not: it was cut or made anew.
    if (changes.length === 0 && held.seq < knownSeq) throw new LogGapError();
    const last = changes.at(-1);
    if (last !== undefined) {
      this.held = { epoch: held.epoch, seq: last.seq };
      this.mark = mark;
      if (changes.length < BATCH) this.gatherUntilMs = this.options.now() + GATHER_MS;
      for (const { listener } of this.subscribers) listener(changes, held.epoch);
    }
    this.emitDigest(meta!);
    this.note(meta);
    this.enter('following');
  }

  private emitDigest({ epoch, seq, digest }: Meta): void {
    for (const { signals } of this.subscribers) signals?.digest({ epoch, seq, digest });
  }

  /** Stops following: subscribers have to ask for a snapshot. */
  private lose(reason: LostReason): void {
    const wasTailing = this.isTailing;
    this.isTailing = false;
    this.loadAtMs = null;
    if (!wasTailing) return;
    for (const { signals } of this.subscribers) signals?.lost(reason);
  }

  /** Notes the store's last change and heartbeat. */
  private note(meta: Meta | null): void {
    if (meta === null) return;
    const nowMs = this.options.now();
    this.headSeq = meta.seq;
    if (this.held?.epoch === meta.epoch && this.isTailing && !this.isDoubtful) {
      this.confirmedSeq = Math.max(this.confirmedSeq, meta.confirmedSeq ?? 0);
    }
    const seq = this.isTailing && this.held?.epoch === meta.epoch ? this.held.seq : -1;
    if (this.goal !== null && seq >= this.goal.seq) {
      this.currentAtMs = this.goal.atMs;
      this.goal = null;
    }
    if (seq >= meta.seq) this.currentAtMs = nowMs;
    else this.goal ??= { seq: meta.seq, atMs: nowMs };
    if (meta.heartbeatMs === this.heartbeat.value) return;
    this.heartbeat = { value: meta.heartbeatMs, atMs: nowMs };
  }

  private enter(phase: FeedPhase, reason: string | null = null): void {
    const before = this.phase;
    if (phase !== 'loading' && phase !== 'following') this.unavailable.resolve();
    if (phase === before && reason === this.reason) return;
    this.phase = phase;
    this.reason = reason;
    this.options.onPhase?.(this.state, before);
  }

  private pause(delayMs: number): Promise<void> {
    const { signal } = this.closing;
    return new Promise((resolve) => {
      const timer = setTimeout(done, delayMs);
      signal.addEventListener('abort', done, { once: true });
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
    });
  }
}

function pendingSnapshot(): PendingSnapshot {
  const { promise, resolve, reject } = Promise.withResolvers<FeedSnapshot>();
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** @throws LogGapError */
function assertConsecutive(changes: readonly Change[], first: number): void {
  for (let index = 0; index < changes.length; index++) {
    if (changes[index].seq !== first + index) throw new LogGapError();
  }
}
