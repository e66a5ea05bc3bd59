import { randomUUID } from 'node:crypto';
import { EntriesDifferError } from '../../errors.ts';
import type { StoreEvents } from '../events.ts';
import { redisCode, toStoreError } from './redis-error.ts';
import { ReplyRecord, text } from './reply.ts';
import type { Ask, Snapshots } from './snapshots.ts';
import type { StoreLink } from './store-link.ts';

export interface LeaderOptions {
  events: StoreEvents;
  /** Minimum age at which changes leave the log, once a snapshot covers them; at most a quarter more. Default 60 s. */
  logKeepMs?: number;
  /** Maximum age of a snapshot that lacks changes. Default 20 s. */
  snapshotEveryMs?: number;
  /** Maximum number of changes that a snapshot lacks. Default 20,000. */
  snapshotLag?: number;
  /** Minimum time between two rewrites of the append-only file. Default 30 s. */
  rewriteEveryMs?: number;
  /** Milliseconds of a clock that does not jump. */
  now?: () => number;
}

export interface LeaderParts {
  link: StoreLink;
  snapshots: Snapshots;
  ask: Ask;
  /** True if controls wait for replicas. */
  confirms: boolean;
  /** Called with the store's last change, every second. */
  reached(seq: number): void;
}

const BEAT_MS = 1_000;
/** Longer than a beat, a command's timeout and the pauses of a full rebuild; then another control leads. */
const LEASE_MS = 5_000;
const TICKS = 4;
/** 1 Mbit/s. */
const SLOW_BYTES_PER_MS = 125;
/** Erased data leaves the snapshots within twice this time. */
const MAX_SLOW_LOAD_MS = 100_000;
/** Accounts whose times are rounded in one step. */
const ROUND_PAGE = 200;
/** Delay between two checks of entries that differ from their digest: each reads all entries. */
const DIFFERED_REST_MS = 30_000;

interface Beat {
  isLeader: boolean;
  seq: number;
  snapshotSeq: number;
  /** -1: none. */
  previousSnapshotSeq: number;
  trimmed: number;
  erasures: number;
  erased: number;
}

/** Erased data that still has to leave snapshot, log and append-only file: everything before change `seq`. */
interface Erasure {
  count: number;
  seq: number;
  rewriting: boolean;
}

/**
 * Sends a control's heartbeat once a second and takes part in electing the leader. The leader does the housekeeping:
 * it refreshes the snapshot, trims the log, and rewrites the append-only file after erasures.
 */
export class Leader {
  private readonly parts: LeaderParts;
  private readonly events: StoreEvents;
  private readonly logKeepMs: number;
  private readonly snapshotEveryMs: number;
  private readonly snapshotLag: number;
  private readonly rewriteEveryMs: number;
  private readonly now: () => number;
  private readonly token = randomUUID();
  private timer: NodeJS.Timeout | null = null;
  private beating: Promise<void> = Promise.resolve();
  private working: Promise<void> | null = null;
  private holdsLease = false;
  private isStopped = false;
  private refreshedAtMs = Number.NEGATIVE_INFINITY;
  private rewrittenAtMs = Number.NEGATIVE_INFINITY;
  private marks: { seq: number; atMs: number }[] = [];
  private erasure: Erasure | null = null;
  /** The previous snapshot in the store, and when it was first seen. */
  private previous: { seq: number; atMs: number } | null = null;
  private behindSinceMs: number | null = null;
  private differedAtMs = Number.NEGATIVE_INFINITY;
  /** The connection and server run for which the append-only file was rewritten. */
  private rewrittenFor: { connection: number; run: string } | null = null;
  private refreshing: Promise<number> | null = null;
  /** The last account whose times were rounded to days; null: all are. */
  private roundedTo: string | null = '';

  constructor(parts: LeaderParts, options: LeaderOptions) {
    this.parts = parts;
    this.events = options.events;
    this.logKeepMs = options.logKeepMs ?? 60_000;
    this.snapshotEveryMs = options.snapshotEveryMs ?? 20_000;
    this.snapshotLag = options.snapshotLag ?? 20_000;
    this.rewriteEveryMs = options.rewriteEveryMs ?? 30_000;
    this.now = options.now ?? (() => performance.now());
  }

  get isLeader(): boolean {
    return this.holdsLease && this.parts.link.state === 'up';
  }

  /** Time that the snapshot has lacked changes; null: another control leads. */
  get behindMs(): number | null {
    if (!this.isLeader) return null;
    return this.behindSinceMs === null ? 0 : this.now() - this.behindSinceMs;
  }

  start(): void {
    this.beat();
  }

  /** Stops the heartbeat and resigns. */
  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.beating;
    await this.working;
    if (this.isLeader) await this.parts.ask('leave', { token: this.token }).catch(() => {});
    this.holdsLease = false;
  }

  /** Makes sure that the snapshot in the store covers this change, or all that exist. */
  async coverBySnapshot(seq: number): Promise<void> {
    const { link } = this.parts;
    const { meta } = await link.inspect().catch((error) => {
      throw toStoreError(error);
    });
    if (meta !== null && meta.snapshotSeq < Math.min(seq, meta.seq)) await this.refresh();
  }

  private beat(): void {
    this.beating = this.beatOnce().finally(() => {
      if (this.isStopped) return;
      this.timer = setTimeout(() => this.beat(), BEAT_MS);
      this.timer.unref();
    });
  }

  private async beatOnce(): Promise<void> {
    const { link, ask, reached, confirms } = this.parts;
    if (link.state !== 'up') {
      this.holdsLease = false;
      if (link.redis.status === 'ready') await link.look();
      return;
    }
    try {
      const reply = await ask('beat', { token: this.token, campaigns: true, leaseMs: LEASE_MS, confirms });
      const beat = beatOf(new ReplyRecord(reply));
      this.holdsLease = beat.isLeader;
      reached(beat.seq);
      link.keep();
      this.behindSinceMs = beat.seq > beat.snapshotSeq ? (this.behindSinceMs ?? this.now()) : null;
      if (!beat.isLeader) this.forget();
      else
        this.working ??= this.keepHouse(beat).finally(() => {
          this.working = null;
        });
    } catch {
      // The link has reported the error; the next beat tries again.
      this.holdsLease = false;
    }
  }

  private forget(): void {
    this.marks = [];
    this.erasure = null;
  }

  private async keepHouse(beat: Beat): Promise<void> {
    try {
      await this.rewriteAfterStart();
      const snapshotSeq = await this.keepSnapshot(beat);
      await this.keepPreviousSnapshot(beat);
      await this.keepLog(beat, snapshotSeq);
      await this.keepErased(beat);
      await this.roundTimes();
    } catch (error) {
      if (this.parts.link.state !== 'up' || this.isStopped) return;
      if (error instanceof EntriesDifferError) {
        this.differedAtMs = this.now();
        this.events.warning('entries_differ', 'registry adopt');
        return;
      }
      this.events.warning('housekeeping_failed', redisCode(error));
    }
  }

  /**
   * Rewrites the append-only file of a server that was started: it may end with half of a change (start-redis.sh
   * explains), which the next start would run together with a later change.
   */
  private async rewriteAfterStart(): Promise<void> {
    const { link } = this.parts;
    const connection = link.connections;
    if (this.rewrittenFor?.connection === connection) return;
    const info = await link.redis.info();
    const run = /^run_id:(\w+)/m.exec(info)?.[1] ?? '';
    const isWritten = info.includes('aof_enabled:1');
    if (isWritten && this.rewrittenFor?.run !== run && !(await this.rewrite())) return;
    this.rewrittenFor = { connection, run };
  }

  private async keepSnapshot({ seq, snapshotSeq, erasures, erased }: Beat): Promise<number> {
    if (this.erasure === null && erasures > erased) this.erasure = { count: erasures, seq, rewriting: false };
    const isMissing = snapshotSeq < 0;
    const lag = seq - snapshotSeq;
    if (this.now() - this.differedAtMs < DIFFERED_REST_MS) return snapshotSeq;
    const ageMs = this.now() - this.refreshedAtMs;
    const isOld = lag > 0 && ageMs >= Math.max(this.snapshotEveryMs, this.slowLoadMs);
    const isFarBehind = lag >= this.snapshotLag && ageMs >= this.slowLoadMs;
    if (!isMissing && !isOld && !isFarBehind) return snapshotSeq;
    return this.refresh();
  }

  /** Rounds times that an earlier release kept to the millisecond, a page of accounts a beat, once in a leader's life. */
  private async roundTimes(): Promise<void> {
    if (this.roundedTo === null) return;
    const after = this.roundedTo;
    const reply = await this.parts.ask('roundTimes', { after: after || undefined, limit: ROUND_PAGE });
    this.roundedTo = text(reply) || null;
  }

  /** Time in which a slow link reads the snapshot, which is kept for as long after another one has replaced it. */
  private get slowLoadMs(): number {
    return Math.min(this.parts.snapshots.packedBytes / SLOW_BYTES_PER_MS, MAX_SLOW_LOAD_MS);
  }

  private async keepPreviousSnapshot({ previousSnapshotSeq: seq }: Beat): Promise<void> {
    if (seq < 0) {
      this.previous = null;
      return;
    }
    if (this.previous?.seq !== seq) this.previous = { seq, atMs: this.now() };
    if (this.now() - this.previous.atMs >= this.slowLoadMs) await this.parts.ask('dropPreviousSnapshot', {});
  }

  private refresh(): Promise<number> {
    this.refreshing ??= this.parts.snapshots.refresh().finally(() => {
      this.refreshing = null;
      this.refreshedAtMs = this.now();
    });
    return this.refreshing;
  }

  /** Trims the log. Ages count from when a change was first seen, by a clock that does not jump. */
  private async keepLog({ seq, trimmed }: Beat, snapshotSeq: number): Promise<void> {
    const nowMs = this.now();
    const last = this.marks.at(-1);
    if (last === undefined || nowMs - last.atMs >= this.logKeepMs / TICKS) {
      this.marks.push({ seq, atMs: nowMs });
    }
    let through = 0;
    while (this.marks.length > 0 && nowMs - this.marks[0].atMs >= this.logKeepMs) {
      through = Math.min(this.marks[0].seq, snapshotSeq);
      // A change that the snapshot does not cover yet is trimmed a beat later.
      if (this.marks[0].seq > snapshotSeq) break;
      this.marks.shift();
    }
    if (through > trimmed) await this.parts.ask('trimLog', { throughSeq: through });
  }

  private async keepErased({ trimmed, snapshotSeq, previousSnapshotSeq }: Beat): Promise<void> {
    const erasure = this.erasure;
    const isOldKept = previousSnapshotSeq >= 0 && previousSnapshotSeq < (erasure?.seq ?? 0);
    if (isOldKept) return;
    if (erasure === null || trimmed < erasure.seq || snapshotSeq < erasure.seq) return;
    if (erasure.rewriting) {
      if (await this.isRewriting()) return;
      await this.parts.ask('setErased', { count: erasure.count });
      this.erasure = null;
      return;
    }
    if (await this.rewrite()) erasure.rewriting = true;
  }

  /** Rewrites the append-only file. @returns false if it is too early, or a rewrite is under way */
  private async rewrite(): Promise<boolean> {
    const nowMs = this.now();
    if (nowMs - this.rewrittenAtMs < this.rewriteEveryMs || (await this.isRewriting())) return false;
    this.rewrittenAtMs = nowMs;
    try {
      await this.parts.link.redis.bgrewriteaof();
    } catch (error) {
      const code = redisCode(error);
      // ERR: a rewrite is under way, and may have begun before the erasure.
      if (code === 'ERR') return false;
      this.events.warning('aof_not_rewritten', code);
    }
    return true;
  }

  /** True if a rewrite of the append-only file runs or is scheduled. */
  private async isRewriting(): Promise<boolean> {
    const info = await this.parts.link.redis.info('persistence');
    return /aof_rewrite_(?:in_progress|scheduled):1/.test(info);
  }
}

function beatOf(reply: ReplyRecord): Beat {
  return {
    isLeader: reply.number('isLeader') === 1,
    seq: reply.number('seq'),
    snapshotSeq: reply.number('snapshotSeq'),
    previousSnapshotSeq: reply.number('previousSnapshotSeq'),
    trimmed: reply.number('trimmed'),
    erasures: reply.number('erasures'),
    erased: reply.number('erased'),
  };
}
