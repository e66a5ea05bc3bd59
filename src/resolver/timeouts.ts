/** Timeouts of the resolver, in ms. */
export interface ResolverTimeouts {
  /** Longest wait for one try before the next; half of it while nothing is measured. */
  readonly tryMs: number;
  /** Shortest wait for one try, however fast the upstream is. */
  readonly minTryMs: number;
  /** Shortest hedging delay. */
  readonly minHedgeMs: number;
  /** From the question to SERVFAIL, including all tries. */
  readonly overallMs: number;
  /** Shortest and longest time for which a failure is remembered (RFC 9520 3.2: 1 s to 5 min). */
  readonly failureMinMs: number;
  readonly failureMaxMs: number;
  /** Shortest and longest time for which a failed upstream is put aside. */
  readonly asideMinMs: number;
  readonly asideMaxMs: number;
  /** Time for which an upstream's quirk is remembered: no EDNS, folded case, no TCP. */
  readonly quirkMs: number;
  /** Idle time after which a connection to an upstream is closed (RFC 7766 6.2.3). */
  readonly streamIdleMs: number;
}

export const DEFAULT_TIMEOUTS: ResolverTimeouts = Object.freeze({
  tryMs: 1500,
  minTryMs: 250,
  minHedgeMs: 20,
  overallMs: 4500,
  failureMinMs: 1000,
  failureMaxMs: 300_000,
  asideMinMs: 1000,
  asideMaxMs: 60_000,
  quirkMs: 600_000,
  streamIdleMs: 10_000,
});
