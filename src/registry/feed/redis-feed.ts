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
} from '../../feed/index.ts';
import { refusalOf } from '../store/redis/fault.ts';
import type { Meta } from '../store/redis/keys.ts';
import { FeedClosedError, LogGapError } from './errors.ts';
import { judge, type Verdict } from './judge.ts';
import { Link } from './link.ts';
import type { FeedPhase, Position, RedisFeedState } from './state.ts';

export interface RedisFeedOptions {
  /** redis:// or rediss://, as the configuration's `store`; a replica's will do. */
  readonly url: string;
  /** Where the list stands that this edge kept on disk: a store that has less has lost data. */
  readonly held?: Position | null;
  /** Milliseconds of a clock that does not jump. */
  readonly now: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
  /** Told when the phase changes, and what it was before. */
  readonly onPhase?: (state: RedisFeedState, before: FeedPhase) => void;
  /** How long a reload may be put off at most; else it depends on the snapshot's size. */
  readonly spreadMs?: number;
  /** The format of the key space that this reader understands; the newest one if it is left out. */
  readonly format?: number;
}

/** A feed that outlives its store: while that is away or wrong, it waits and says so. */
export interface RedisFeed extends Feed {
  readonly state: RedisFeedState;
  /** Resolves when it first turns out that the store gives no list now. */
  readonly withoutList: Promise<void>;
  /** Gives nothing any more; a snapshot that is waited for is rejected. */
  close(): Promise<void>;
}

/** How often a store is looked at that must not or cannot be followed now. */
const LOOK_MS = 500;
const RETRY_MS = 100;
/** How long a snapshot that cannot be read is left before it is asked for again. */
const SPOILT_MS = 3_000;
/** A load this soon after the start is that of one edge; a later one may be that of all of them. */
const START_MS = 3_000;
/** A store that serves a thousand edges gives each a megabyte in a second, at 1 GB/s in all. */
const SPREAD_BASE_MS = 1_000;
const SPREAD_MS_PER_BYTE = 1_000 / 1e6;
const MOST_SPREAD_MS = 60_000;

/**
 * Opens the feed. It connects in the background and for as long as it takes.
 *
 * @throws StoreUnavailable for a URL that is none.
 */
export function openRedisFeed(options: RedisFeedOptions): RedisFeed {
  return new StreamFeed(options);
}

interface Wanted {
  readonly promise: Promise<FeedSnapshot>;
  readonly resolve: (snapshot: FeedSnapshot) => void;
  readonly reject: (error: unknown) => void;
}

class StreamFeed implements RedisFeed {
  private readonly options: RedisFeedOptions;
  private readonly link: Link;
  private readonly openedAtMs: number;
  private readonly subscribers = new Set<{ listener: FeedListener; signals: FeedSignals | undefined }>();
  private readonly running: Promise<void>;
  private readonly closing = new AbortController();
  private readonly ownWithoutList = Promise.withResolvers<void>();
  /** Where the list stands that was given out or is held: what the store is judged by. */
  private held: Position | null;
  /** By what the entry at `held` is known again; null: not known. */
  private mark: string | null = null;
  /** Whether changes after `held` are given out; otherwise a snapshot is needed first. */
  private isTailing = false;
  /** Whether the entry at `held` must be looked at before the log is followed: another server may answer now. */
  private isDoubtful = false;
  private connections = 0;
  private wanted: Wanted | null = null;
  private loadAtMs: number | null = null;
  private phase: FeedPhase = 'disconnected';
  private reason: string | null = null;
  private headSeq = 0;
  /** A head of the store that is to be reached, and when it was first heard of. */
  private goal: { seq: number; atMs: number } | null = null;
  private currentAtMs: number | null = null;
  private heartbeat = { value: 0, atMs: null as number | null };

  constructor(options: RedisFeedOptions) {
    this.options = options;
    this.held = options.held ?? null;
    this.openedAtMs = options.now();
    this.link = new Link(options.url);
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
    return this.ownWithoutList.promise;
  }

  /** Resolves when the store has a list that may be served: it may be long until then. */
  snapshot(): Promise<FeedSnapshot> {
    if (this.isClosed) return Promise.reject(new FeedClosedError());
    this.isTailing = false;
    this.wanted ??= wanted();
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

  /** Faults of the connection and of the store, LOADING and the like: all of them pass, or are looked at again. */
  private async recover(error: unknown): Promise<void> {
    if (error instanceof LogGapError) {
      this.lose('gap');
      return;
    }
    const { code } = error as { code?: string };
    if (code === 'snapshot_corrupt' || code === 'snapshot_version_unknown') {
      this.loadAtMs = this.options.now() + SPOILT_MS;
    }
    if (error instanceof SnapshotVersionUnknownError) this.enter('newer-format', 'snapshot');
    else if (error instanceof SnapshotCorruptError || error instanceof RangeError) this.enter('corrupt');
    else this.enter('disconnected', refusalOf(error) ?? this.link.refusal);
    await this.pause(this.phase === 'disconnected' ? RETRY_MS : LOOK_MS);
  }

  /** Looks at a store that is not followed: for the first time, again, or because it must not be. */
  private async look(): Promise<void> {
    const meta = await this.link.meta();
    this.hear(meta);
    const verdict = await this.judge(meta);
    if (verdict.kind !== 'follow' && verdict.kind !== 'adopted') {
      this.enter(verdict.kind, verdict.kind === 'lost-data' ? verdict.reason : null);
      await this.pause(LOOK_MS);
      return;
    }
    this.isDoubtful = false;
    if (this.isTailing && verdict.kind === 'follow') {
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

  /** The verdict on the store, with a look at the log where that could be of another history. */
  private async judge(meta: Meta | null): Promise<Verdict> {
    const verdict = judge(meta, this.held, this.options.format);
    if (verdict.kind !== 'follow' || this.mark === null || !this.isDoubtful) return verdict;
    const found = await this.link.mark(this.held!.seq);
    if (found === null || found === this.mark) return verdict;
    return { kind: 'lost-data', reason: 'other-history' };
  }

  /** Puts a load off that other edges may want at the same moment; one without any list loads at once. */
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
    const bytes = await this.link.snapshotBytes();
    return Math.min(MOST_SPREAD_MS, SPREAD_BASE_MS + bytes * SPREAD_MS_PER_BYTE);
  }

  private async load(meta: Meta): Promise<void> {
    const snapshot = await this.readSnapshot(meta);
    if (snapshot === null) {
      this.enter('waiting');
      await this.pause(RETRY_MS);
      return;
    }
    this.enter('loading');
    const log = await this.readLog(snapshot, meta.epoch);
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
    resolve({ ...snapshot, changes });
    this.enter('following');
  }

  /** The snapshot; the empty list where the log still holds all changes; null where there is none to load yet. */
  private async readSnapshot(meta: Meta): Promise<Snapshot | null> {
    const isThere = meta.snapshotSeq >= meta.trimmed;
    const bytes = isThere ? await this.link.snapshot() : null;
    const snapshot = bytes === null ? null : decodeSnapshot(bytes);
    if (snapshot?.epoch === meta.epoch && snapshot.seq >= meta.trimmed) return snapshot;
    if (meta.trimmed > 0) return null;
    return { version: 1, epoch: meta.epoch, seq: 0, profiles: [], groups: [] };
  }

  /** What the log has after a snapshot, up to what the store has then; null if it is another store by then. */
  private async readLog(
    { seq }: Snapshot,
    epoch: string,
  ): Promise<{ changes: readonly Change[]; mark: string | null } | null> {
    const found: Change[] = [];
    let lastMark: string | null = null;
    for (;;) {
      const next = seq + found.length + 1;
      const { changes, mark, meta } = await this.link.range(next);
      this.hear(meta);
      if (meta?.epoch !== epoch || judge(meta, null, this.options.format).kind !== 'follow') return null;
      assertConsecutive(changes, next);
      for (const change of changes) found.push(change);
      lastMark = mark ?? lastMark;
      if (seq + found.length >= meta.seq) return { changes: found, mark: lastMark };
      if (changes.length === 0) throw new LogGapError();
    }
  }

  /** Gives out what follows in the log. The store is judged by what it said after that was read. */
  private async tail(): Promise<void> {
    const held = this.held!;
    const knownSeq = this.headSeq;
    const { changes, mark, meta } = await this.link.follow(held.seq);
    if (!this.isTailing) return;
    this.hear(meta);
    const verdict = judge(meta, held, this.options.format);
    if (verdict.kind !== 'follow') {
      this.isDoubtful = true;
      return;
    }
    assertConsecutive(changes, held.seq + 1);
    // What the store said that it had before this read was waited for in vain: the stream was cut or made anew.
    if (changes.length === 0 && held.seq < knownSeq) throw new LogGapError();
    const last = changes.at(-1);
    if (last !== undefined) {
      this.held = { epoch: held.epoch, seq: last.seq };
      this.mark = mark;
      for (const { listener } of this.subscribers) listener(changes, held.epoch);
    }
    this.tellDigest(meta!);
    this.hear(meta);
    this.enter('following');
  }

  private tellDigest({ epoch, seq, digest }: Meta): void {
    for (const { signals } of this.subscribers) signals?.digest({ epoch, seq, digest });
  }

  /** Ends the following: the subscribers are to ask for a snapshot. */
  private lose(reason: LostReason): void {
    const wasTailing = this.isTailing;
    this.isTailing = false;
    this.loadAtMs = null;
    if (!wasTailing) return;
    for (const { signals } of this.subscribers) signals?.lost(reason);
  }

  private hear(meta: Meta | null): void {
    if (meta === null) return;
    const nowMs = this.options.now();
    this.headSeq = meta.seq;
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
    if (phase !== 'loading' && phase !== 'following') this.ownWithoutList.resolve();
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

function wanted(): Wanted {
  const { promise, resolve, reject } = Promise.withResolvers<FeedSnapshot>();
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** @throws LogGap */
function assertConsecutive(changes: readonly Change[], first: number): void {
  for (let index = 0; index < changes.length; index++) {
    if (changes[index].seq !== first + index) throw new LogGapError();
  }
}
