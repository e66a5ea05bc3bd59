/**
 * Due times of an open loop's queries: evenly spaced, whatever the server does. Latency counts from the due
 * time, so a stall shows in the queries that it delays (no coordinated omission).
 */
export class Schedule {
  /** Due time of the first query; set by `begin`. */
  startMs = Number.POSITIVE_INFINITY;
  /** Number of queries. */
  readonly count: number;
  /** Number of queries before the first measured one. */
  readonly warmUpCount: number;
  private readonly perMs: number;

  constructor(options: { ratePerSecond: number; warmUpSeconds: number; seconds: number }) {
    this.perMs = options.ratePerSecond / 1000;
    this.warmUpCount = Math.round(options.ratePerSecond * options.warmUpSeconds);
    this.count = this.warmUpCount + Math.max(1, Math.round(options.ratePerSecond * options.seconds));
  }

  /** Starts the schedule. Connections are established before that. */
  begin(startMs: number): void {
    this.startMs = startMs;
  }

  /** Due time of query `n`, counted from 0. */
  dueMs(n: number): number {
    return this.startMs + n / this.perMs;
  }

  /** Number of queries due by `nowMs`. */
  dueBy(nowMs: number): number {
    if (nowMs < this.startMs) return 0;
    return Math.min(Math.floor((nowMs - this.startMs) * this.perMs) + 1, this.count);
  }

  /**
   * Number of the next query to send after `n` were sent. A late warm-up is cut off at its end, so that its
   * rest does not distort the measurement.
   */
  next(n: number, nowMs: number): number {
    return n < this.warmUpCount && nowMs >= this.dueMs(this.warmUpCount) ? this.warmUpCount : n;
  }

  /** Due time of the last query. */
  get endMs(): number {
    return this.dueMs(this.count - 1);
  }
}
