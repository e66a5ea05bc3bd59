/** Result of looking for a ClientHello's server name. */
export const HelloState = {
  /** More bytes are needed. */
  PARTIAL: 0,
  /** A server name was found. */
  NAMED: 1,
  /** A whole ClientHello without one. */
  UNNAMED: 2,
  /** Not a valid ClientHello. */
  MALFORMED: 3,
  /** Longer than MAX_HELLO_BYTES. */
  TOO_LONG: 4,
} as const;
export type HelloState = (typeof HelloState)[keyof typeof HelloState];

/**
 * Longest accepted ClientHello, handshake header included. Those with post-quantum key shares have about 2 KiB.
 */
export const MAX_HELLO_BYTES = 16_384;

/** Handshake type and 24-bit length (RFC 8446, 4). */
export const HANDSHAKE_HEADER_BYTES = 4;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const VERSION_AND_RANDOM_BYTES = 34;

/** Position of a server name in the bytes that were read. */
export interface ServerName {
  start: number;
  end: number;
}

/**
 * Length of the handshake message at message[start], header included.
 * @returns 0 while the header is incomplete; -state (a HelloState) if it is not a ClientHello or too long
 */
export function helloLength(message: Uint8Array, start: number, end: number): number {
  if (end <= start) return 0;
  if (message[start] !== CLIENT_HELLO) return -HelloState.MALFORMED;
  if (end - start < HANDSHAKE_HEADER_BYTES) return 0;
  const length =
    ((message[start + 1] << 16) | (message[start + 2] << 8) | message[start + 3]) + HANDSHAKE_HEADER_BYTES;
  return length > MAX_HELLO_BYTES ? -HelloState.TOO_LONG : length;
}

/**
 * Finds the server name in a complete ClientHello message[start, end), handshake header included (RFC 8446
 * section 4.1.2, RFC 6066 section 3). Requires exactly one host_name, and the extension at most once. With ECH
 * this is the outer name. Nothing else is validated: unknown values (GREASE, RFC 8701) pass.
 */
export function findServerName(message: Uint8Array, start: number, end: number, out: ServerName): HelloState {
  let at = start + HANDSHAKE_HEADER_BYTES + VERSION_AND_RANDOM_BYTES;
  at = skipVector(message, at, end, 1, 0, 32);
  at = skipVector(message, at, end, 2, 2, 0xfffe);
  at = skipVector(message, at, end, 1, 1, 0xff);
  if (at < 0 || at > end) return HelloState.MALFORMED;
  if (at === end) return HelloState.UNNAMED;
  if (skipVector(message, at, end, 2, 0, 0xffff) !== end) return HelloState.MALFORMED;
  at += 2;
  let state: HelloState = HelloState.UNNAMED;
  while (at < end) {
    const next = skipVector(message, at + 2, end, 2, 0, 0xffff);
    if (next < 0) return HelloState.MALFORMED;
    if (((message[at] << 8) | message[at + 1]) === SERVER_NAME) {
      if (state === HelloState.NAMED || !readNameList(message, at + 4, next, out))
        return HelloState.MALFORMED;
      state = HelloState.NAMED;
    }
    at = next;
  }
  return state;
}

/** Reads server_name_list: its length, then name_type, the name's length and the name. */
function readNameList(message: Uint8Array, start: number, end: number, out: ServerName): boolean {
  if (skipVector(message, start, end, 2, 1, 0xffff) !== end) return false;
  if (start + 5 > end || message[start + 2] !== HOST_NAME) return false;
  if (skipVector(message, start + 3, end, 2, 1, 0xffff) !== end) return false;
  out.start = start + 5;
  out.end = end;
  return true;
}

/** Offset behind a vector with a length field of `width` bytes; -1 if it is invalid or `at` is -1. */
function skipVector(
  message: Uint8Array,
  at: number,
  end: number,
  width: 1 | 2,
  minimum: number,
  maximum: number,
): number {
  if (at < 0 || at + width > end) return -1;
  const length = width === 1 ? message[at] : (message[at] << 8) | message[at + 1];
  if (length < minimum || length > maximum || at + width + length > end) return -1;
  return at + width + length;
}
