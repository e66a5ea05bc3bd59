import type { RandomSource } from './random.ts';
import type { ResolverTimeouts } from './timeouts.ts';

/** Weights of RFC 6298 2 for mean and deviation. */
const MEAN_WEIGHT = 1 / 8;
const DEVIATION_WEIGHT = 1 / 4;
/** Penalty of an upstream that always says SERVFAIL or REFUSED where another one answers. */
const LAMENESS_MS = 1000;
/** Time in which an upstream that is not asked loses half of its cost, so that it is measured again. */
const FORGIVENESS_MS = 60_000;
/** Failures in a row after which an upstream counts as dead. */
const DEAD_AFTER = 3;
const SAMPLES = 128;
/**
 * Share of the replies that arrive before the hedging delay, and replies after which that delay is computed
 * anew.
 */
const HEDGE_SHARE = 0.95;
const HEDGE_EVERY = 16;

/**
 * Measured latency and liveness of one upstream. After a failure it is put aside and checked with backoff.
 */
export class UpstreamHealth {
  private readonly timeouts: ResolverTimeouts;
  private readonly random: RandomSource;
  private readonly samples = new Float64Array(SAMPLES);
  private readonly sorted = new Float64Array(SAMPLES);
  private sampleCount = 0;
  /** Latency that HEDGE_SHARE of the last replies stayed below; 0: unknown. */
  private slowMs = 0;
  private meanMs = 0;
  private deviationMs = 0;
  private lameness = 0;
  private failuresInARow = 0;
  private asideTimes = 0;
  private asideUntilMs = 0;
  private lastReplyMs = Number.NEGATIVE_INFINITY;
  private isSuspect = false;
  /** Tries without a usable reply since the start. */
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

  /** Records a reply, whatever it says. */
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

  /**
   * Records whether its reply was of use; it was not if it said SERVFAIL or REFUSED and another upstream
   * answered.
   */
  useful(useful: boolean): void {
    this.lameness += MEAN_WEIGHT * ((useful ? 0 : 1) - this.lameness);
  }

  /** True if a reply came since `sentMs`: then a packet was lost, or a name is slow. */
  hasRepliedSince(sentMs: number): boolean {
    return this.lastReplyMs >= sentMs;
  }

  /** Marks it while a health check runs after a question without reply: other upstreams are asked first. */
  suspect(): void {
    this.isSuspect = true;
  }

  /** Records the reply to a health check. Its latency says little about that of questions. */
  isAlive(nowMs: number): void {
    this.lastReplyMs = nowMs;
    this.recover();
  }

  /**
   * Records that there was no reply to anything since the failed query was sent.
   * @returns ms until the next health check, with backoff; null if one is scheduled already, so that a
   *   hundred tries that fail together lengthen the wait once
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
   * Records that another upstream answered first, after this one had been silent for `silentMs`. This counts
   * as a latency: without slow ones the percentile would sink until every question was asked twice.
   */
  outrun(silentMs: number): void {
    this.sample(silentMs);
  }

  /** Hedging delay in ms; null while too little is known. */
  hedgeMs(): number | null {
    if (this.slowMs === 0) return null;
    const { minHedgeMs, tryMs } = this.timeouts;
    return Math.min(tryMs / 2, Math.max(minHedgeMs, this.slowMs));
  }

  /** Wait for a reply before the next try, in ms, for round `round` of a question (from 0). */
  patienceMs(round: number): number {
    const { tryMs, minTryMs } = this.timeouts;
    const measured = this.meanMs + 4 * this.deviationMs;
    const base = this.sampleCount === 0 ? tryMs / 2 : Math.max(minTryMs, measured);
    return Math.min(tryMs, this.random.jitter(base * 2 ** round));
  }

  /**
   * Sort key, the lowest first: those that answer by latency, then those put aside by the time of their next
   * check.
   */
  cost(nowMs: number): number {
    if (!this.healthy || this.isSuspect) return 1e6 + Math.max(0, this.asideUntilMs - nowMs);
    const idleMs = Math.max(0, nowMs - this.lastReplyMs);
    const forgiven = this.sampleCount === 0 ? 0 : 2 ** -(idleMs / FORGIVENESS_MS);
    return (this.meanMs + LAMENESS_MS * this.lameness) * forgiven;
  }

  /**
   * The latency that a share (0 to 1) of the last replies stayed below, in ms; null before the first reply.
   */
  percentileMs(share: number): number | null {
    const count = Math.min(this.sampleCount, SAMPLES);
    if (count === 0) return null;
    this.sorted.set(this.samples);
    const sorted = this.sorted.subarray(0, count).sort();
    return sorted[Math.min(count - 1, Math.floor(share * count))];
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
