import { Cells, OPEN_CELLS_START, prefixHash } from '../rate-limit.ts';

/** Of one prefix (IPv4 /24, IPv6 /56): a home that resolves the API's name now and then, or runs the self-test. */
const PREFIX = { perSecond: 5, burst: 60 };
/** Of all unregistered sources together, over UDP, where they may be forged, and over streams. */
const TOTAL = { perSecond: 200, burst: 1000 };
/** Upstream queries that they may cause: each answer is needed once per TTL. */
const DEFERRALS = { perSecond: 10, burst: 50 };

/** Challenges of an ACME CA: a few look-ups from several places in each order. */
const CHALLENGES = { perSecond: 50, burst: 200 };

/** Cells for prefixes; behind them stand the totals. */
export const OPEN_PREFIX_CELLS = 8192;
const TOTAL_CELL = OPEN_CELLS_START + OPEN_PREFIX_CELLS;
const DEFERRAL_CELL = TOTAL_CELL + 2;
const CHALLENGE_CELL = TOTAL_CELL + 4;

/**
 * Limits answers to unregistered sources for open names, so that the edge cannot serve as an open resolver. Separate from
 * RateLimiter, so that a home's refused queries do not use it up. UDP, where sources may be forged, cannot use up the
 * share of streams.
 */
export class OpenBudget {
  private readonly prefixes: Cells;
  private readonly totals: Cells;
  private readonly deferrals: Cells;
  private readonly challenges: Cells;
  private readonly seed: number;

  /** @param memory as RateLimiter.allocate made it, shared by all threads */
  constructor(memory: SharedArrayBuffer, seed: number) {
    this.prefixes = new Cells(memory, PREFIX);
    this.totals = new Cells(memory, TOTAL);
    this.deferrals = new Cells(memory, DEFERRALS);
    this.challenges = new Cells(memory, CHALLENGES);
    this.seed = seed;
  }

  /** Takes an answer from the budgets of the source's prefix and of all sources. @returns false if one is empty */
  take(family: number, source: Int32Array, spoofable: boolean, clock: Float64Array): boolean {
    const cell = prefixHash(family, source, this.seed) & (OPEN_PREFIX_CELLS - 1);
    return (
      this.prefixes.take(OPEN_CELLS_START + cell, clock) &&
      this.totals.take(TOTAL_CELL + Number(spoofable), clock)
    );
  }

  /** Takes an answer about an ACME challenge. @returns false if the budget is empty */
  takeChallenge(spoofable: boolean, clock: Float64Array): boolean {
    return this.challenges.take(CHALLENGE_CELL + Number(spoofable), clock);
  }

  /** Takes an upstream query. @returns false if the budget is empty */
  takeDeferral(spoofable: boolean, clock: Float64Array): boolean {
    return this.deferrals.take(DEFERRAL_CELL + Number(spoofable), clock);
  }
}
