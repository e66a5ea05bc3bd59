export type Family = 4 | 6;

/** An IP address. `bytes` are in network order: 4 of them for IPv4, 16 for IPv6. */
export interface Address {
  readonly family: Family;
  readonly bytes: Uint8Array;
}

export const IPV4_BYTES = 4;
export const IPV6_BYTES = 16;

/** Reads the 32-bit word in network order at `offset`, as an unsigned number. */
export function readWord(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3]) >>> 0
  );
}

/**
 * Makes an address from 4 or 16 bytes in network order, which are copied. IPv4-mapped IPv6 (RFC 4291 section
 * 2.5.5.2) becomes IPv4, so that one host never has two names.
 * @throws RangeError for another length
 */
export function addressFromBytes(bytes: Uint8Array): Address {
  if (bytes.length === IPV4_BYTES) return { family: 4, bytes: Uint8Array.from(bytes) };
  if (bytes.length !== IPV6_BYTES) throw new RangeError('An address has 4 or 16 bytes');
  if (isMapped(bytes)) return { family: 4, bytes: Uint8Array.from(bytes.subarray(12)) };
  return { family: 6, bytes: Uint8Array.from(bytes) };
}

export function sameAddress(a: Address, b: Address): boolean {
  if (a.family !== b.family) return false;
  for (let index = 0; index < a.bytes.length; index++) {
    if (a.bytes[index] !== b.bytes[index]) return false;
  }
  return true;
}

/**
 * Parses IPv4 as four decimal numbers without leading zeros (other forms mean different hosts to different
 * readers, RFC 6943 section 3.1.1), or IPv6 in any form of RFC 4291 section 2.2. No zones, brackets or spaces.
 * IPv4-mapped IPv6 becomes IPv4.
 * @returns null for anything else
 */
export function parseAddress(text: string): Address | null {
  if (text.length > 45) return null;
  if (text.includes(':')) {
    const bytes = parseIPv6(text);
    return bytes && addressFromBytes(bytes);
  }
  const bytes = parseIPv4(text);
  return bytes && { family: 4, bytes };
}

/** Formats an address: IPv4 dotted, IPv6 by RFC 5952 section 4. */
export function formatAddress(address: Address): string {
  return address.family === 4 ? address.bytes.join('.') : formatIPv6(address.bytes);
}

function isMapped(bytes: Uint8Array): boolean {
  return readWord(bytes, 0) === 0 && readWord(bytes, 4) === 0 && readWord(bytes, 8) === 0x0000ffff;
}

const IPV4_TEXT = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

function parseIPv4(text: string): Uint8Array | null {
  const match = IPV4_TEXT.exec(text);
  if (!match) return null;
  const bytes = new Uint8Array(IPV4_BYTES);
  for (let index = 0; index < IPV4_BYTES; index++) {
    const byte = Number(match[index + 1]);
    if (byte > 255) return null;
    bytes[index] = byte;
  }
  return bytes;
}

function parseIPv6(text: string): Uint8Array | null {
  const gap = text.indexOf('::');
  if (gap < 0) {
    const groups = parseGroups(text, true);
    return groups?.length === 8 ? groupsToBytes(groups, []) : null;
  }
  const after = text.slice(gap + 2);
  const head = gap === 0 ? [] : parseGroups(text.slice(0, gap), false);
  const tail = after === '' ? [] : parseGroups(after, true);
  if (!head || !tail || head.length + tail.length > 7) return null;
  return groupsToBytes(head, tail);
}

const GROUP_TEXT = /^[0-9a-fA-F]{1,4}$/;

/** Parses 16-bit groups; with `embedded` the last part may be an IPv4 address. */
function parseGroups(text: string, embedded: boolean): number[] | null {
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (GROUP_TEXT.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const ipv4 = embedded && index === parts.length - 1 ? parseIPv4(part) : null;
    if (!ipv4) return null;
    groups.push((ipv4[0] << 8) | ipv4[1], (ipv4[2] << 8) | ipv4[3]);
  }
  return groups;
}

function groupsToBytes(head: readonly number[], tail: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(IPV6_BYTES);
  const write = (group: number, at: number): void => {
    bytes[2 * at] = group >> 8;
    bytes[2 * at + 1] = group & 0xff;
  };
  for (const [index, group] of head.entries()) write(group, index);
  for (const [index, group] of tail.entries()) write(group, 8 - tail.length + index);
  return bytes;
}

function formatIPv6(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let offset = 0; offset < IPV6_BYTES; offset += 2)
    groups.push((bytes[offset] << 8) | bytes[offset + 1]);
  const run = longestZeroRun(groups);
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (run.length < 2) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

/** First of the longest runs of zero groups (RFC 5952 section 4.2.3). */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let index = 0; index <= groups.length; index++) {
    if (index < groups.length && groups[index] === 0) continue;
    if (index - start > best.length) best = { start, length: index - start };
    start = index + 1;
  }
  return best;
}
