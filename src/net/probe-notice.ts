/**
 * Why a relay ends a connection that leads nowhere, told to those that probe it (relay.probeSources) and to nobody
 * else: a fatal TLS alert (RFC 8446, 6), by the description that is nearest. What makes it the relay's and no origin's is
 * the record's version: SSL 3.0, which no server of today sends (RFC 8996, RFC 7568).
 */
export const ProbeNotice = {
  /** access_denied: all addresses of the name are ones that are not relayed to. */
  FORBIDDEN: 49,
  /** internal_error: no address of the origin answers. */
  UNREACHABLE: 80,
  /** user_canceled: the relay is to be given to nobody any more; it serves on until its tunnels have ended. */
  DRAINING: 90,
  /** certificate_unobtainable: the relay's upstreams have no address of the name. */
  UNRESOLVED: 111,
  /** unrecognized_name: the relay's catalog does not have the name. */
  UNLISTED: 112,
} as const;
export type ProbeNotice = (typeof ProbeNotice)[keyof typeof ProbeNotice];

const ALERT = 21;
const FATAL = 2;
/** Type, version and length of the record; level and description of the alert. */
export const PROBE_NOTICE_BYTES = 7;
const DESCRIPTION = PROBE_NOTICE_BYTES - 1;

const KNOWN: ReadonlySet<number> = new Set(Object.values(ProbeNotice));

export function writeProbeNotice(notice: ProbeNotice): Uint8Array {
  return Uint8Array.of(ALERT, 3, 0, 0, 2, FATAL, notice);
}

/** The notice that a connection begins with; null for anything else. */
export function readProbeNotice(bytes: Uint8Array): ProbeNotice | null {
  if (bytes.length < PROBE_NOTICE_BYTES) return null;
  const description = bytes[DESCRIPTION] as ProbeNotice;
  const frame = writeProbeNotice(description);
  const isNotice = frame.every((octet, index) => bytes[index] === octet) && KNOWN.has(description);
  return isNotice ? description : null;
}
