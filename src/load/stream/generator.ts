import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Generator, LoadRun } from '../generator.ts';
import { outstandingCapacity } from '../outstanding.ts';
import { type Sources, sourceText } from '../sources.ts';
import { WARM_UP } from '../tallies.ts';
import type { LoadConnection } from './connection.ts';
import { FramedConnection } from './framed.ts';
import { HttpsConnection } from './https.ts';

/** Queries to send before reading answers again. */
const MAX_AT_ONCE = 256;
/** Timers wake up to a millisecond late, so the loop does not sleep this close to a due time. */
const BUSY_MS = 1.5;
const EXPIRE_EVERY_MS = 5;

/** Connections of one sort of source, used round robin. */
class Pool {
  readonly connections: readonly LoadConnection[];
  private turn = 0;

  constructor(connections: readonly LoadConnection[]) {
    this.connections = connections;
  }

  /** @returns false if no connection can take the query */
  ask(dueMs: number, category: number): boolean {
    for (let tried = 0; tried < this.connections.length; tried++) {
      this.turn = (this.turn + 1) % this.connections.length;
      if (this.connections[this.turn].ask(dueMs, category)) return true;
    }
    return false;
  }
}

/**
 * Open loop over TCP, DNS over TLS or DNS over HTTPS connections. A query that no connection can take when it
 * is due counts as unsent.
 */
export class StreamGenerator implements Generator {
  private readonly run: LoadRun;
  private readonly registered: Pool;
  private readonly unregistered: Pool;
  private readonly connections: readonly LoadConnection[];
  private doneCount = 0;
  private isStopped = false;
  endedMs: number | null = null;
  private lastExpiryMs = 0;

  constructor(run: LoadRun) {
    this.run = run;
    const { plan } = run;
    const others = Math.round((plan.connections * plan.unregisteredPercent) / 100);
    const unregistered = plan.unregisteredPercent > 0 ? Math.max(1, others) : 0;
    const registered = plan.unregisteredPercent < 100 ? Math.max(1, plan.connections - unregistered) : 0;
    this.registered = this.open(registered, plan.sources);
    this.unregistered = this.open(unregistered, plan.unregistered);
    this.connections = [...this.registered.connections, ...this.unregistered.connections];
  }

  async connected(timeoutMs: number): Promise<void> {
    const all = Promise.all(this.connections.map(({ settled }) => settled));
    const abort = new AbortController();
    await Promise.race([all, sleep(timeoutMs, undefined, { signal: abort.signal }).catch(() => {})]);
    abort.abort();
  }

  async work(untilMs: number): Promise<boolean> {
    const { schedule, now, plan } = this.run;
    for (;;) {
      const nowMs = now();
      if (nowMs >= untilMs) return false;
      this.doneCount = schedule.next(this.doneCount, nowMs);
      const isSending =
        !this.isStopped && this.doneCount < schedule.count && nowMs <= schedule.endMs + plan.timeoutMs;
      if (!isSending) this.endedMs ??= nowMs;
      if (isSending) this.send(Math.min(schedule.dueBy(nowMs) - this.doneCount, MAX_AT_ONCE));
      if (nowMs - this.lastExpiryMs >= EXPIRE_EVERY_MS) {
        this.lastExpiryMs = nowMs;
        for (const connection of this.connections) connection.expire(nowMs - plan.timeoutMs);
      }
      if (!isSending && this.connections.every(({ isIdle }) => isIdle)) {
        this.countUnsent();
        return true;
      }
      const wakeMs = isSending ? schedule.dueMs(this.doneCount) : nowMs + EXPIRE_EVERY_MS;
      const left = Math.min(wakeMs, untilMs) - now();
      if (left < BUSY_MS) await nextTurn();
      else await sleep(Math.min(Math.floor(left - 1), EXPIRE_EVERY_MS));
    }
  }

  stop(): void {
    this.isStopped = true;
  }

  close(): void {
    for (const connection of this.connections) connection.close();
  }

  private open(count: number, sources: Sources): Pool {
    const { run } = this;
    const capacity = outstandingCapacity(run.plan.ratePerSecond / Math.max(1, count), run.plan.timeoutMs);
    const Connection = run.plan.transport === 'https' ? HttpsConnection : FramedConnection;
    return new Pool(
      Array.from({ length: count }, (_, i) => new Connection(run, sourceText(sources, i), capacity)),
    );
  }

  private send(count: number): void {
    for (let i = 0; i < count; i++) {
      this.takeTurn((pool, dueMs, category) => pool.ask(dueMs, category));
    }
    for (const connection of this.connections) connection.flush();
  }

  private takeTurn(ask: (pool: Pool, dueMs: number, category: number) => boolean): void {
    const { schedule, traffic, tallies } = this.run;
    traffic.next();
    const n = this.doneCount++;
    const category = n < schedule.warmUpCount ? WARM_UP : traffic.category;
    const pool = traffic.isUnregistered ? this.unregistered : this.registered;
    if (!ask(pool, schedule.dueMs(n), category)) tallies.unsent(category);
  }

  private countUnsent(): void {
    if (this.isStopped) return;
    while (this.doneCount < this.run.schedule.count) this.takeTurn(() => false);
  }
}
