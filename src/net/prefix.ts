import { type Address, addressFromBytes, type Family, formatAddress, parseAddress } from './address.ts';

/**
 * A block of addresses: the first `length` bits of `bytes` (network order, 4 or 16 bytes); all further bits are
 * zero.
 */
export interface Prefix {
  readonly family: Family;
  readonly bytes: Uint8Array;
  readonly length: number;
}

const IPV4_BITS = 32;
const IPV6_BITS = 128;
const MAPPED_BITS = IPV6_BITS - IPV4_BITS;

/**
 * Parses `address/length`. Bits past the length must be zero, as `10.0.0.1/8` is more often a slip than
 * intended. A prefix of IPv4-mapped addresses becomes an IPv4 prefix.
 * @returns null for anything else
 */
export function parsePrefix(text: string): Prefix | null {
  const slash = text.indexOf('/');
  if (slash < 0) return null;
  const addressText = text.slice(0, slash);
  const address = parseAddress(addressText);
  const length = parseLength(text.slice(slash + 1));
  if (!address || length === null) return null;
  const isMapped = address.family === 4 && addressText.includes(':');
  const ownLength = isMapped ? length - MAPPED_BITS : length;
  if (ownLength < 0 || ownLength > bitsOf(address.family)) return null;
  const prefix = prefixOf(address, ownLength);
  return prefix.bytes.every((byte, index) => byte === address.bytes[index]) ? prefix : null;
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix)}/${prefix.length}`;
}

/**
 * Prefix of `length` bits around `address`.
 * @throws RangeError if the family has no such length
 */
export function prefixOf(address: Address, length: number): Prefix {
  if (!Number.isInteger(length) || length < 0 || length > bitsOf(address.family)) {
    throw new RangeError(`A prefix length of IPv${address.family} is 0 to ${bitsOf(address.family)}`);
  }
  const bytes = Uint8Array.from(address.bytes);
  const whole = length >> 3;
  if (whole < bytes.length) {
    bytes[whole] &= 0xff00 >> (length & 7);
    bytes.fill(0, whole + 1);
  }
  return { family: address.family, bytes, length };
}

export function contains(prefix: Prefix, address: Address): boolean {
  if (prefix.family !== address.family) return false;
  const whole = prefix.length >> 3;
  for (let index = 0; index < whole; index++) {
    if (prefix.bytes[index] !== address.bytes[index]) return false;
  }
  const rest = 0xff00 >> (prefix.length & 7);
  return ((prefix.bytes[whole] ^ address.bytes[whole]) & rest & 0xff) === 0;
}

/**
 * Prefix that registers a home with this address: the IPv4 address itself, or the IPv6 /64, whose lower half
 * the home's devices change daily (RFC 8981).
 */
export function registrationPrefix(address: Address): Prefix {
  return prefixOf(addressFromBytes(address.bytes), address.family === 4 ? IPV4_BITS : 64);
}

function bitsOf(family: Family): number {
  return family === 4 ? IPV4_BITS : IPV6_BITS;
}

function parseLength(text: string): number | null {
  return /^(0|[1-9]\d{0,2})$/.test(text) ? Number(text) : null;
}
