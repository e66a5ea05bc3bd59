/** What came of a connection to a name through a relay: a closed set, for metrics and reports. */
export const PROBE_OUTCOMES = [
  /** The origin answered, with a certificate for the name. */
  'ok',
  /** The relay says that it drains. */
  'draining',
  /** The relay does not take connections. */
  'unreachable',
  /** The relay took the connection, and nothing came of it in time. */
  'timeout',
  /** The relay closed the connection without a word: it does not know this machine (relay.probeSources). */
  'closed',
  /** The relay's catalog does not have the name. */
  'unlisted',
  /** The name has no address, by the relay's upstreams. */
  'no-address',
  /** The name leads to addresses that are not relayed to. */
  'forbidden',
  /** No address of the origin answers the relay. */
  'origin-unreachable',
  /** The origin answered, and not by a handshake. */
  'origin-refuses',
  /** The origin's certificate is not for the name, has ended, or is signed by nobody who is trusted. */
  'certificate',
  /** This machine could not try: no address of the family, or no descriptor left. It says nothing of the relay. */
  'untried',
] as const;
export type ProbeOutcome = (typeof PROBE_OUTCOMES)[number];

/** Outcomes that are due to the relay, whatever the name. */
export function isOfRelay(outcome: ProbeOutcome): boolean {
  return outcome === 'draining' || outcome === 'unreachable' || outcome === 'untried';
}

export interface ProbeReport {
  readonly outcome: ProbeOutcome;
  /** From the first packet to the end of the handshake, or to what ended it. */
  readonly milliseconds: number;
}
