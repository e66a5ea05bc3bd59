/** Outcome of connecting to a name through a relay: a closed set, for metrics and reports. */
export const PROBE_OUTCOMES = [
  /** The origin answered, with a certificate for the name. */
  'ok',
  /** The relay says that it drains. */
  'draining',
  /** The relay does not accept connections. */
  'unreachable',
  /** The relay accepted the connection, and nothing came back in time. */
  'timeout',
  /** The relay closed the connection without a notice: it does not know this host (relay.probeSources). */
  'closed',
  /** The relay's catalog does not have the name. */
  'unlisted',
  /** The name has no address, by the relay's upstreams. */
  'no-address',
  /** The name has only addresses that are not relayed to. */
  'forbidden',
  /** The relay cannot reach any address of the origin. */
  'origin-unreachable',
  /** The origin answered, but not with a handshake. */
  'origin-refuses',
  /** The origin's certificate is for another name, expired, or not trusted. */
  'certificate',
  /**
   * This host could not try: no address of the family, or no file descriptor left. Says nothing about the
   * relay.
   */
  'untried',
] as const;
export type ProbeOutcome = (typeof PROBE_OUTCOMES)[number];

/** Outcomes caused by the relay (or this host), whatever the name. */
export function isOfRelay(outcome: ProbeOutcome): boolean {
  return outcome === 'draining' || outcome === 'unreachable' || outcome === 'untried';
}

export interface ProbeReport {
  readonly outcome: ProbeOutcome;
  /** From the first packet to the end of the handshake, or to the failure. */
  readonly milliseconds: number;
}
