import { randomUUID } from 'node:crypto';
import { EntriesDifferError } from '../../errors.ts';
import { redisCode, redisFault } from './fault.ts';
import type { Link } from './link.ts';
import type { Ask, Snapshots } from './snapshots.ts';
import type { StoreNews } from './state.ts';

export interface ChoresOptions {
  news: StoreNews;
  /** How long a change stays in the log at least; and, once a snapshot covers it, at most a quarter more. 60 s. */
  logKeepMs?: number;
  /** How old a snapshot may become that lacks changes. 20 s. */
  snapshotEveryMs?: number;
  /** How many changes a snapshot may lack. 20,000. */
  snapshotLag?: number;
  /** The least time between two rewrites of the append-only file. 30 s. */
  rewriteEveryMs?: number;
}

export interface ChoresParts {
  link: Link;
  snapshots: Snapshots;
  ask: Ask;
  heard(seq: number): void;
}

const BEAT_MS = 1_000;
/** Longer than a beat, a command's time and a full rebuild's pauses: a holder that is gone is replaced after it. */
const LEASE_MS = 5_000;
const TICKS = 4;
/** Between two looks at entries that did not agree with their digest. */
const DIFFERED_REST_MS = 30_000;

/** What a beat says. */
interface Beat {
  isHolder: boolean;
  seq: number;
  snapshotSeq: number;
  trimmed: number;
  erasures: number;
  erased: number;
}

/** An erasure on its way: what was given up before change `seq` has to leave snapshot, log and append-only file. */
interface Erasure {
  count: number;
  seq: number;
  rewriting: boolean;
}

/**
 * The pulse of a control, once a second: it writes the heartbeat, hears how far the store is, and one of all controls
 * (who holds the lease) refreshes the snapshot, trims the log, and sees to it that what was erased leaves the files.
 */
export class Chores {
  private readonly parts: ChoresParts;
  private readonly news: StoreNews;
  private readonly logKeepMs: number;
  private readonly snapshotEveryMs: number;
  private readonly snapshotLag: number;
  private readonly rewriteEveryMs: number;
  private readonly token = randomUUID();
  private timer: NodeJS.Timeout | null = null;
  private beating: Promise<void> = Promise.resolve();
  private working: Promise<void> | null = null;
  private ownIsHolder = false;
  private isStopped = false;
  private refreshedAtMs = Number.NEGATIVE_INFINITY;
  private rewrittenAtMs = Number.NEGATIVE_INFINITY;
  private marks: { seq: number; atMs: number }[] = [];
  private erasure: Erasure | null = null;
  private differedAtMs = Number.NEGATIVE_INFINITY;
  /** Which connection, and which run of a server, the append-only file was rewritten for. */
  private rewrittenFor: { connection: number; run: string } | null = null;
  private refreshing: Promise<number> | null = null;

  constructor(parts: ChoresParts, options: ChoresOptions) {
    this.parts = parts;
    this.news = options.news;
    this.logKeepMs = options.logKeepMs ?? 60_000;
    this.snapshotEveryMs = options.snapshotEveryMs ?? 20_000;
    this.snapshotLag = options.snapshotLag ?? 20_000;
    this.rewriteEveryMs = options.rewriteEveryMs ?? 30_000;
  }

  get isHolder(): boolean {
    return this.ownIsHolder && this.parts.link.state === 'up';
  }

  start(): void {
    this.beat();
  }

  /** Ends the pulse and gives the lease to another control. */
  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.beating;
    await this.working;
    if (this.isHolder) await this.parts.ask('leave', [this.token]).catch(() => {});
    this.ownIsHolder = false;
  }

  /** Makes sure that the snapshot in the store has this change, or all there are. */
  async coverBySnapshot(seq: number): Promise<void> {
    const { link } = this.parts;
    const { meta } = await link.inspect().catch((fault) => {
      throw redisFault(fault);
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
    const { link, ask, heard } = this.parts;
    if (link.state !== 'up') {
      this.ownIsHolder = false;
      if (link.redis.status === 'ready') await link.look();
      return;
    }
    try {
      const reply = await ask('beat', [this.token, 1, LEASE_MS]);
      const [holder, seq, snapshotSeq, trimmed, erasures, erased] = reply as number[];
      const beat = { isHolder: holder === 1, seq, snapshotSeq, trimmed, erasures, erased };
      this.ownIsHolder = beat.isHolder;
      heard(seq);
      link.keep();
      if (!beat.isHolder) this.forget();
      else
        this.working ??= this.work(beat).finally(() => {
          this.working = null;
        });
    } catch {
      // The link has told why; the next beat looks again.
      this.ownIsHolder = false;
    }
  }

  private forget(): void {
    this.marks = [];
    this.erasure = null;
  }

  private async work(beat: Beat): Promise<void> {
    try {
      await this.keepFile();
      const snapshotSeq = await this.keepSnapshot(beat);
      await this.keepLog(beat, snapshotSeq);
      await this.keepErased(beat);
    } catch (error) {
      if (this.parts.link.state !== 'up' || this.isStopped) return;
      if (error instanceof EntriesDifferError) {
        this.differedAtMs = performance.now();
        this.news.warning('entries_differ', 'registry adopt');
        return;
      }
      this.news.warning('chore_failed', redisCode(error));
    }
  }

  /**
   * A server that was started may have half of a change at the end of its append-only file (config/deploy/
   * start-redis.sh tells of it), which a further start would do: a rewrite makes the file anew from what is held.
   */
  private async keepFile(): Promise<void> {
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
    // Every try reads all entries.
    if (performance.now() - this.differedAtMs < DIFFERED_REST_MS) return snapshotSeq;
    const isOld = lag > 0 && performance.now() - this.refreshedAtMs >= this.snapshotEveryMs;
    if (!isMissing && !isOld && lag < this.snapshotLag) return snapshotSeq;
    return this.refresh();
  }

  private refresh(): Promise<number> {
    this.refreshing ??= this.parts.snapshots.refresh().finally(() => {
      this.refreshing = null;
      this.refreshedAtMs = performance.now();
    });
    return this.refreshing;
  }

  /** Times are measured from when a number was seen, by a clock that does not jump. */
  private async keepLog({ seq, trimmed }: Beat, snapshotSeq: number): Promise<void> {
    const nowMs = performance.now();
    const last = this.marks.at(-1);
    if (last === undefined || nowMs - last.atMs >= this.logKeepMs / TICKS) {
      this.marks.push({ seq, atMs: nowMs });
    }
    let through = 0;
    while (this.marks.length > 0 && nowMs - this.marks[0].atMs >= this.logKeepMs) {
      through = Math.min(this.marks[0].seq, snapshotSeq);
      // One that the snapshot does not cover yet is trimmed a beat later.
      if (this.marks[0].seq > snapshotSeq) break;
      this.marks.shift();
    }
    if (through > trimmed) await this.parts.ask('trimLog', [through]);
  }

  private async keepErased({ trimmed, snapshotSeq }: Beat): Promise<void> {
    const erasure = this.erasure;
    if (erasure === null || trimmed < erasure.seq || snapshotSeq < erasure.seq) return;
    if (erasure.rewriting) {
      if (await this.isRewriting()) return;
      await this.parts.ask('setErased', [erasure.count]);
      this.erasure = null;
      return;
    }
    if (await this.rewrite()) erasure.rewriting = true;
  }

  /** @returns false where it is too early for another rewrite of the file, or one is under way. */
  private async rewrite(): Promise<boolean> {
    const nowMs = performance.now();
    if (nowMs - this.rewrittenAtMs < this.rewriteEveryMs || (await this.isRewriting())) return false;
    this.rewrittenAtMs = nowMs;
    try {
      await this.parts.link.redis.bgrewriteaof();
    } catch (error) {
      const code = redisCode(error);
      // ERR: one is under way or about to be, which may have begun before what it is to leave out was gone.
      if (code === 'ERR') return false;
      this.news.warning('aof_not_rewritten', code);
    }
    return true;
  }

  /** Whether the append-only file is being rewritten, or is about to be. */
  private async isRewriting(): Promise<boolean> {
    const info = await this.parts.link.redis.info('persistence');
    return /aof_rewrite_(?:in_progress|scheduled):1/.test(info);
  }
}
