/**
 * When each query of an open loop is due: evenly from the start, whatever the server does. Latency counts from
 * that time, so that queries which a stall holds up are seen to wait (no coordinated omission).
 */
export class Schedule {
  /** When the first query is due: see begin. */
  startMs = Number.POSITIVE_INFINITY;
  /** Queries in all. */
  readonly count: number;
  /** Queries before the first that is measured. */
  readonly warmUpCount: number;
  private readonly perMs: number;

  constructor(options: { ratePerSecond: number; warmUpSeconds: number; seconds: number }) {
    this.perMs = options.ratePerSecond / 1000;
    this.warmUpCount = Math.round(options.ratePerSecond * options.warmUpSeconds);
    this.count = this.warmUpCount + Math.max(1, Math.round(options.ratePerSecond * options.seconds));
  }

  /** Connections are made before that. */
  begin(startMs: number): void {
    this.startMs = startMs;
  }

  /** When query `n`, from 0, is due. */
  dueMs(n: number): number {
    return this.startMs + n / this.perMs;
  }

  /** How many queries are due at `nowMs`, those of before included. */
  dueBy(nowMs: number): number {
    if (nowMs < this.startMs) return 0;
    return Math.min(Math.floor((nowMs - this.startMs) * this.perMs) + 1, this.count);
  }

  /**
   * The number of the query to make next, where `n` were made: a warm-up that is behind ends at its time, so
   * that its rest does not weigh on what is measured.
   */
  next(n: number, nowMs: number): number {
    return n < this.warmUpCount && nowMs >= this.dueMs(this.warmUpCount) ? this.warmUpCount : n;
  }

  /** When the last query is due. */
  get endMs(): number {
    return this.dueMs(this.count - 1);
  }
}
