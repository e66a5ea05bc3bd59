/** Outcome of an attempt to reach an origin through a proxy. */
export const EgressOutcome = {
  CONNECTED: 0,
  /** The proxy's name has no address, or the proxy refused the connection. */
  UNREACHABLE: 1,
  /** The proxy accepted the connection and did not answer in time. */
  TIMEOUT: 2,
  /** The proxy rejected the credentials, or asks for some. */
  CREDENTIALS: 3,
  /** The proxy's rules forbid the destination. */
  FORBIDDEN: 4,
  /** The proxy reports that the origin does not answer. */
  ORIGIN: 5,
  /** The proxy closed the connection, failed, or broke its protocol. */
  FAILED: 6,
} as const;
export type EgressOutcome = (typeof EgressOutcome)[keyof typeof EgressOutcome];

/** Label values, by outcome. */
export const EGRESS_OUTCOMES: readonly string[] = Object.keys(EgressOutcome).map((key) => key.toLowerCase());
