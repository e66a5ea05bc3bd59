import { type Address, addressFromBytes, formatAddress, parseAddress } from './address.ts';
import type { SocketAddress } from './socket-address.ts';

/** Result of reading the start of a load balancer's connection. */
export type ProxyHeader =
  /** More bytes are needed. */
  | { readonly kind: 'partial' }
  /** No header, or an invalid one. */
  | { readonly kind: 'malformed' }
  /** A header of `bytes` bytes. `source` is null if it names no client, as in a balancer's health check. */
  | { readonly kind: 'header'; readonly bytes: number; readonly source: SocketAddress | null };

const PARTIAL: ProxyHeader = { kind: 'partial' };
const MALFORMED: ProxyHeader = { kind: 'malformed' };

/** Longest line of version 1, CR LF included. */
const V1_MAX_BYTES = 107;
const V1_PREFIX = Buffer.from('PROXY ');
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_HEADER_BYTES = 16;
/** Addresses and TLVs; balancers send a few hundred bytes at most. */
const V2_MAX_BODY_BYTES = 4096;
const V2_LOCAL = 0x20;
const V2_PROXY = 0x21;
/** Low half of the family byte: the client's transport. */
const V2_UNSPEC = 0;
const V2_STREAM = 1;
/** AF_UNIX: two paths of 108 bytes. */
const V2_UNIX = 3;
const V2_UNIX_BYTES = 216;
const TLV_HEADER_BYTES = 3;
const TLV_CRC32C = 3;
const V2_ADDRESS_BYTES: Readonly<Record<number, number>> = { 1: 4, 2: 16 };

/**
 * Reads a PROXY header of version 1 or 2 at bytes[0, length) (HAProxy's doc/proxy-protocol.txt, 2.1 and 2.2).
 * Use for trusted balancers only: anyone can send such a header.
 */
export function readProxyHeader(bytes: Uint8Array, length: number): ProxyHeader {
  if (startsWith(bytes, length, V2_SIGNATURE)) return readVersion2(bytes, length);
  if (startsWith(bytes, length, V1_PREFIX)) return readVersion1(bytes, length);
  return MALFORMED;
}

/** Returns true if the available bytes match the start of `prefix`. */
function startsWith(bytes: Uint8Array, length: number, prefix: Uint8Array): boolean {
  const known = Math.min(length, prefix.length);
  for (let i = 0; i < known; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}

function readVersion1(bytes: Uint8Array, length: number): ProxyHeader {
  const text = Buffer.from(bytes.subarray(0, Math.min(length, V1_MAX_BYTES))).toString('latin1');
  const end = text.indexOf('\r\n');
  if (end < 0) return length < V1_MAX_BYTES ? PARTIAL : MALFORMED;
  const fields = text.slice(0, end).split(' ');
  if (fields[1] === 'UNKNOWN') return { kind: 'header', bytes: end + 2, source: null };
  if (fields.length !== 6) return MALFORMED;
  const [, protocol, sourceText, destinationText, sourcePort, destinationPort] = fields;
  const isIPv6 = protocol === 'TCP6';
  const source = parseAddress(sourceText);
  const isSound =
    (isIPv6 || protocol === 'TCP4') &&
    source !== null &&
    sourceText.includes(':') === isIPv6 &&
    parseAddress(destinationText) !== null;
  const port = readPort(sourcePort);
  if (!isSound || port < 0 || readPort(destinationPort) < 0) return MALFORMED;
  return { kind: 'header', bytes: end + 2, source: { address: source, port } };
}

function readPort(text: string): number {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : -1;
}

function readVersion2(bytes: Uint8Array, length: number): ProxyHeader {
  if (length < V2_HEADER_BYTES) return PARTIAL;
  const command = bytes[12];
  if (command !== V2_LOCAL && command !== V2_PROXY) return MALFORMED;
  const bodyBytes = (bytes[14] << 8) | bytes[15];
  if (bodyBytes > V2_MAX_BODY_BYTES) return MALFORMED;
  const end = V2_HEADER_BYTES + bodyBytes;
  if (length < end) return PARTIAL;
  const addressBytes = V2_ADDRESS_BYTES[bytes[13] >> 4];
  const transport = bytes[13] & 15;
  const blockBytes =
    bytes[13] >> 4 === V2_UNIX ? V2_UNIX_BYTES : addressBytes === undefined ? 0 : 2 * addressBytes + 4;
  if (!hasSoundChecksum(bytes, V2_HEADER_BYTES + blockBytes, end)) return MALFORMED;
  if (command === V2_LOCAL) return { kind: 'header', bytes: end, source: null };
  // AF_UNSPEC, AF_UNIX and UNSPEC transports name no client address.
  if (addressBytes === undefined || transport === V2_UNSPEC)
    return { kind: 'header', bytes: end, source: null };
  // DGRAM on a stream is refused: no handshake has shown that the address is the client's, as over UDP.
  if (transport !== V2_STREAM || bodyBytes < 2 * addressBytes + 4) return MALFORMED;
  const at = V2_HEADER_BYTES;
  const address = addressFromBytes(bytes.subarray(at, at + addressBytes));
  const portAt = at + 2 * addressBytes;
  return { kind: 'header', bytes: end, source: { address, port: (bytes[portAt] << 8) | bytes[portAt + 1] } };
}

/**
 * Verifies PP2_TYPE_CRC32C over the whole header, its own value counted as zero (2.2.4). True without one: it is optional.
 * Other TLVs are skipped; an area that does not parse as TLVs has none, as in LOCAL headers with an address block left out.
 */
function hasSoundChecksum(bytes: Uint8Array, tlvsAt: number, end: number): boolean {
  for (let at = tlvsAt; at + TLV_HEADER_BYTES <= end; ) {
    const length = (bytes[at + 1] << 8) | bytes[at + 2];
    const valueAt = at + TLV_HEADER_BYTES;
    if (valueAt + length > end) return true;
    if (bytes[at] === TLV_CRC32C && length === 4) {
      const header = Uint8Array.from(bytes.subarray(0, end));
      const told = new DataView(header.buffer).getUint32(valueAt);
      header.fill(0, valueAt, valueAt + 4);
      return crc32c(header) === told;
    }
    at = valueAt + length;
  }
  return true;
}

/** CRC-32C (RFC 3720 appendix B.4): the Castagnoli polynomial, reflected. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

export type ProxyHeaderVersion = 'v1' | 'v2';

/**
 * Builds a header for a TCP connection from `source` to `destination`. If their families differ, the IPv4 one
 * is written IPv4-mapped.
 */
export function writeProxyHeader(
  source: SocketAddress,
  destination: SocketAddress,
  version: ProxyHeaderVersion = 'v2',
): Uint8Array {
  return version === 'v1' ? writeVersion1(source, destination) : writeVersion2(source, destination);
}

function writeVersion1(source: SocketAddress, destination: SocketAddress): Uint8Array {
  const isIPv4 = source.address.family === 4 && destination.address.family === 4;
  const [from, to] = [source, destination].map(({ address }) =>
    isIPv4 || address.family === 6 ? formatAddress(address) : `::ffff:${formatAddress(address)}`,
  );
  const protocol = isIPv4 ? 'TCP4' : 'TCP6';
  return Buffer.from(`PROXY ${protocol} ${from} ${to} ${source.port} ${destination.port}\r\n`, 'latin1');
}

function writeVersion2(source: SocketAddress, destination: SocketAddress): Uint8Array {
  const isIPv4 = source.address.family === 4 && destination.address.family === 4;
  const addressBytes = isIPv4 ? 4 : 16;
  const header = Buffer.alloc(V2_HEADER_BYTES + 2 * addressBytes + 4);
  header.set(V2_SIGNATURE);
  header[12] = V2_PROXY;
  header[13] = isIPv4 ? 0x11 : 0x21;
  header.writeUInt16BE(2 * addressBytes + 4, 14);
  header.set(widened(source.address, addressBytes), V2_HEADER_BYTES);
  header.set(widened(destination.address, addressBytes), V2_HEADER_BYTES + addressBytes);
  header.writeUInt16BE(source.port, V2_HEADER_BYTES + 2 * addressBytes);
  header.writeUInt16BE(destination.port, V2_HEADER_BYTES + 2 * addressBytes + 2);
  return header;
}

function widened({ bytes }: Address, length: number): Uint8Array {
  if (bytes.length === length) return bytes;
  return Uint8Array.of(...new Array<number>(10).fill(0), 0xff, 0xff, ...bytes);
}
