/**
 * Reason why a relay ended a probe's connection, as a fatal TLS alert with the closest description (RFC 8446
 * section 6). Only sources in relay.probeSources get one. The record version SSL 3.0, which no current server
 * sends (RFC 8996, RFC 7568), marks it as the relay's and not an origin's.
 */
export const ProbeNotice = {
  /** access_denied: the egress guard rejects all addresses of the name. */
  FORBIDDEN: 49,
  /** internal_error: no address of the origin answers. */
  UNREACHABLE: 80,
  /** user_canceled: take the relay out of the answers; it serves until its tunnels end. */
  DRAINING: 90,
  /** certificate_unobtainable: the relay's upstreams know no address of the name. */
  UNRESOLVED: 111,
  /** unrecognized_name: the name is not in the relay's catalog. */
  UNLISTED: 112,
} as const;
export type ProbeNotice = (typeof ProbeNotice)[keyof typeof ProbeNotice];

const ALERT = 21;
const FATAL = 2;
/** Record type, version and length; alert level and description. */
export const PROBE_NOTICE_BYTES = 7;
const DESCRIPTION = PROBE_NOTICE_BYTES - 1;

const KNOWN: ReadonlySet<number> = new Set(Object.values(ProbeNotice));

export function writeProbeNotice(notice: ProbeNotice): Uint8Array {
  return Uint8Array.of(ALERT, 3, 0, 0, 2, FATAL, notice);
}

/** Reads the notice at the start of a connection; null if there is none. */
export function readProbeNotice(bytes: Uint8Array): ProbeNotice | null {
  if (bytes.length < PROBE_NOTICE_BYTES) return null;
  const description = bytes[DESCRIPTION] as ProbeNotice;
  const frame = writeProbeNotice(description);
  const isNotice = frame.every((byte, index) => bytes[index] === byte) && KNOWN.has(description);
  return isNotice ? description : null;
}
