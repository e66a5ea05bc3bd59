/** How long the resolver waits, all in milliseconds. */
export interface ResolverTimeouts {
  /** The longest wait for one try before the next is made; half of it while nothing is measured. */
  readonly tryMs: number;
  /** The shortest such wait, however fast the upstream is. */
  readonly minTryMs: number;
  /** The shortest wait for one upstream before another is asked too, however soon 95 of 100 replies come. */
  readonly minHedgeMs: number;
  /** From the question to SERVFAIL, all tries together. */
  readonly overallMs: number;
  /** The first and the longest time for which a failure is remembered (RFC 9520 3.2: 1 s to 5 min). */
  readonly failureMinMs: number;
  readonly failureMaxMs: number;
  /** The first and the longest time for which an upstream that failed is put aside. */
  readonly asideMinMs: number;
  readonly asideMaxMs: number;
  /** How long it is remembered that an upstream does not know EDNS, or folds the case of names. */
  readonly quirkMs: number;
  /** How long a connection to an upstream is kept open without use (RFC 7766 6.2.3). */
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
