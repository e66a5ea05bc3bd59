import { readVarint } from './varint.ts';

export const VERSION_1 = 0x00000001;
export const VERSION_2 = 0x6b3343cf;
/** Version of a Version Negotiation packet (RFC 8999 section 6). */
export const NEGOTIATION = 0;

/** Type of a long-header packet. */
export const PacketType = {
  INITIAL: 0,
  ZERO_RTT: 1,
  HANDSHAKE: 2,
  RETRY: 3,
  /** The version is unknown. */
  UNKNOWN: 4,
} as const;
export type PacketType = (typeof PacketType)[keyof typeof PacketType];

/** Longest connection id in versions 1 and 2 (RFC 9000 section 17.2); other versions allow 255. */
export const MAX_ID_BYTES = 20;
const FIXED_HEADER_BYTES = 7;

/** Version-independent parts of a long header (RFC 8999 section 5.1) and the packet's type. */
export class LongHeader {
  version = 0;
  type: PacketType = PacketType.UNKNOWN;
  destinationStart = 0;
  destinationEnd = 0;
  sourceStart = 0;
  sourceEnd = 0;

  /** Reads the header of bytes[start, length). @returns false if there is none */
  read(bytes: Uint8Array, start: number, length: number): boolean {
    if (start + FIXED_HEADER_BYTES > length || (bytes[start] & 0x80) === 0) return false;
    this.version = 0;
    for (let i = 1; i <= 4; i++) this.version = this.version * 256 + bytes[start + i];
    this.destinationStart = start + 6;
    this.destinationEnd = this.destinationStart + bytes[start + 5];
    if (this.destinationEnd >= length) return false;
    this.sourceStart = this.destinationEnd + 1;
    this.sourceEnd = this.sourceStart + bytes[this.destinationEnd];
    if (this.sourceEnd > length) return false;
    this.type = typeOf(this.version, bytes[start]);
    if (this.type === PacketType.UNKNOWN) return true;
    const idBytes = Math.max(this.destinationEnd - this.destinationStart, this.sourceEnd - this.sourceStart);
    return idBytes <= MAX_ID_BYTES;
  }
}

/**
 * Packet types of version 1 (RFC 9000 section 17.2, table 5); version 2 shifts them by one (RFC 9369 section
 * 3.2).
 */
function typeOf(version: number, first: number): PacketType {
  const bits = (first >> 4) & 3;
  if (version === VERSION_1) return bits as PacketType;
  if (version === VERSION_2) return ((bits + 3) & 3) as PacketType;
  return PacketType.UNKNOWN;
}

/**
 * End of the packet that `header` was read from; coalesced packets may follow (RFC 9000 section 12.2).
 * @returns -1 if the packet does not state its length
 */
export function packetEnd(header: LongHeader, bytes: Uint8Array, length: number): number {
  let at = header.sourceEnd;
  if (header.type === PacketType.INITIAL) {
    const token = readVarint(bytes, at);
    if (token === null) return -1;
    at = token.end + token.value;
  } else if (header.type > PacketType.HANDSHAKE) return -1;
  const rest = readVarint(bytes, at);
  if (rest === null) return -1;
  const end = rest.end + rest.value;
  return end <= length ? end : -1;
}
