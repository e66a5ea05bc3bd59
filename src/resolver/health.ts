import type { RandomSource } from './random.ts';
import type { ResolverTimeouts } from './timeouts.ts';

/** Weights of RFC 6298 2: how fast the mean and the deviation follow. */
const MEAN_WEIGHT = 1 / 8;
const DEVIATION_WEIGHT = 1 / 4;
/** What an upstream that always says SERVFAIL or REFUSED where another answers counts as, beyond its latency. */
const LAMENESS_MS = 1000;
/** An upstream that is not asked is forgiven half of its latency in this time, and so is measured again. */
const FORGIVENESS_MS = 60_000;
/** Failures in a row after which an upstream is taken for dead. */
const DEAD_AFTER = 3;
const SAMPLES = 128;
/** The handle of replies that are waited for before another upstream is asked, and after how many it is worked out anew. */
const HEDGE_SHARE = 0.95;
const HEDGE_EVERY = 16;

/**
 * What is known of one upstream: how long it takes, and whether it answers at all. One that failed is put
 * aside for a time that doubles, then tried by a copy of a real question.
 */
export class UpstreamHealth {
  private readonly timeouts: ResolverTimeouts;
  private readonly random: RandomSource;
  private readonly samples = new Float64Array(SAMPLES);
  private readonly sorted = new Float64Array(SAMPLES);
  private sampleCount = 0;
  /** The latency that HEDGE_SHARE of the last replies stayed below; 0: too few are known. */
  private slowMs = 0;
  private meanMs = 0;
  private deviationMs = 0;
  private lameness = 0;
  private failuresInARow = 0;
  private asideTimes = 0;
  private asideUntilMs = 0;
  private lastReplyMs = Number.NEGATIVE_INFINITY;
  private isSuspect = false;
  /** Tries that got no usable reply, since the start. */
  failures = 0;

  constructor(timeouts: ResolverTimeouts, random: RandomSource) {
    this.timeouts = timeouts;
    this.random = random;
  }

  get healthy(): boolean {
    return this.failuresInARow === 0;
  }

  get dead(): boolean {
    return this.failuresInARow >= DEAD_AFTER;
  }

  /** A reply came, whatever it said. */
  replied(nowMs: number, latencyMs: number): void {
    if (this.sampleCount === 0) {
      this.meanMs = latencyMs;
      this.deviationMs = latencyMs / 2;
    } else {
      this.deviationMs += DEVIATION_WEIGHT * (Math.abs(this.meanMs - latencyMs) - this.deviationMs);
      this.meanMs += MEAN_WEIGHT * (latencyMs - this.meanMs);
    }
    this.sample(latencyMs);
    this.lastReplyMs = nowMs;
    this.recover();
  }

  /** Whether its answers are of use: false where it said SERVFAIL or REFUSED and another upstream had an answer. */
  useful(useful: boolean): void {
    this.lameness += MEAN_WEIGHT * ((useful ? 0 : 1) - this.lameness);
  }

  /** True if a reply came since `sentMs`: what happened meanwhile was a lost packet or a slow name. */
  hasRepliedSince(sentMs: number): boolean {
    return this.lastReplyMs >= sentMs;
  }

  /** A question got no reply, and a health check is under way: others are asked first until it ends. */
  suspect(): void {
    this.isSuspect = true;
  }

  /** A health check got a reply. Its latency says little about that of questions. */
  isAlive(nowMs: number): void {
    this.lastReplyMs = nowMs;
    this.recover();
  }

  /**
   * The upstream did not reply to anything since the failed query was sent.
   * @returns ms until the next health check, with backoff; null if one is scheduled already: of a hundred tries that
   *   fail at once, one lengthens the wait
   */
  failed(nowMs: number): number | null {
    this.failuresInARow++;
    this.isSuspect = false;
    if (nowMs < this.asideUntilMs) return null;
    const { asideMinMs, asideMaxMs } = this.timeouts;
    const waitMs = this.random.jitter(Math.min(asideMaxMs, asideMinMs * 2 ** Math.min(this.asideTimes, 30)));
    this.asideTimes++;
    this.asideUntilMs = nowMs + waitMs;
    return waitMs;
  }

  /**
   * Another upstream answered first, after this one had been silent for so long. That counts among its latencies: without
   * the slow ones their percentile would sink until all was asked twice.
   */
  outrun(silentMs: number): void {
    this.sample(silentMs);
  }

  /** The wait before another upstream is asked too, in milliseconds; null while too little is known of this one. */
  hedgeMs(): number | null {
    if (this.slowMs === 0) return null;
    const { minHedgeMs, tryMs } = this.timeouts;
    return Math.min(tryMs / 2, Math.max(minHedgeMs, this.slowMs));
  }

  /** The wait before the next try is made, in milliseconds, for the `round`th time in a question (from 0). */
  patienceMs(round: number): number {
    const { tryMs, minTryMs } = this.timeouts;
    const measured = this.meanMs + 4 * this.deviationMs;
    const base = this.sampleCount === 0 ? tryMs / 2 : Math.max(minTryMs, measured);
    return Math.min(tryMs, this.random.jitter(base * 2 ** round));
  }

  /** Less is better: those that answer by what they take, then those put aside by when they may be tried. */
  cost(nowMs: number): number {
    if (!this.healthy || this.isSuspect) return 1e6 + Math.max(0, this.asideUntilMs - nowMs);
    const idleMs = Math.max(0, nowMs - this.lastReplyMs);
    const forgiven = this.sampleCount === 0 ? 0 : 2 ** -(idleMs / FORGIVENESS_MS);
    return (this.meanMs + LAMENESS_MS * this.lameness) * forgiven;
  }

  /** The latency that `handle` (0 to 1) of the last replies stayed below, in milliseconds; null before the first. */
  percentileMs(handle: number): number | null {
    const count = Math.min(this.sampleCount, SAMPLES);
    if (count === 0) return null;
    this.sorted.set(this.samples);
    const sorted = this.sorted.subarray(0, count).sort();
    return sorted[Math.min(count - 1, Math.floor(handle * count))];
  }

  private recover(): void {
    this.isSuspect = false;
    this.failuresInARow = 0;
    this.asideTimes = 0;
    this.asideUntilMs = 0;
  }

  private sample(latencyMs: number): void {
    this.samples[this.sampleCount++ % SAMPLES] = latencyMs;
    if (this.sampleCount % HEDGE_EVERY === 0) this.slowMs = this.percentileMs(HEDGE_SHARE) ?? 0;
  }
}
