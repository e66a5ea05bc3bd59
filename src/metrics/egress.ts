import { labelValues } from './labels.ts';

/** What became of an attempt to reach an origin through a proxy. */
export const EgressOutcome = {
  CONNECTED: 0,
  /** The proxy's name has no address, or it took no connection. */
  UNREACHABLE: 1,
  /** It took the connection and did not answer in time. */
  TIMEOUT: 2,
  /** It wants credentials, or others. */
  CREDENTIALS: 3,
  /** Its rules do not let the destination through. */
  FORBIDDEN: 4,
  /** It says that the origin does not answer. */
  ORIGIN: 5,
  /** It broke off, failed by itself, or does not speak as a proxy does. */
  FAILED: 6,
} as const;
export type EgressOutcome = (typeof EgressOutcome)[keyof typeof EgressOutcome];

export const EGRESS_OUTCOMES = labelValues(EgressOutcome);
