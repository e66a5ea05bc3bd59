import type { AllowlistReader, ProfileId } from '../../src/allowlist/index.ts';
import type { Prefix } from '../../src/net/index.ts';
import { ipv4Source, ipv6Source } from './sources.ts';

/** Numbered prefixes, in ranges by what the writer does with them. */
export const ALWAYS = { first: 0, count: 1_000 };
export const FLAPPING = { first: 1_000, count: 1_000 };
export const NEVER = { first: 2_000, count: 50_000 };
export const FRESH = { first: 100_000, count: 900_000 };

/** 32-bit words that the threads share. */
export const Word = {
  /** Number of the fresh prefix added last. */
  ADDED: 0,
  /** Number of the fresh prefix removed last. */
  REMOVED: 1,
  READERS_READY: 2,
  FINISHED: 3,
} as const;
export const SHARED_BYTES = 4 * 4;

const PROFILES = 30_000;

/** The two profiles that a prefix may have; its neighbors have others. */
export function legalProfile(number: number, which: 0 | 1): ProfileId {
  return (2 * (number % PROFILES) + 1 + which) as ProfileId;
}

export function isLegal(number: number, profile: number): boolean {
  return profile === legalProfile(number, 0) || profile === legalProfile(number, 1);
}

/** A bijection, so that no two numbers share an address. */
function mixed(number: number): number {
  const a = Math.imul(number ^ 0x5bd1e995, 0x9e3779b1);
  return Math.imul(a ^ (a >>> 15), 0x2c1b3c6d) >>> 0;
}

const IPV6_HIGH = 0x20010db8;

/** Half of them IPv4, three of eight IPv6 /64, one of eight IPv6 /128. */
export function prefixAt(number: number): Prefix {
  if (number % 2 === 0) {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, mixed(number));
    return { family: 4, bytes, length: 32 };
  }
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, IPV6_HIGH);
  view.setUint32(4, mixed(number));
  if (number % 8 !== 7) return { family: 6, bytes, length: 64 };
  view.setUint32(8, mixed(number + 1));
  view.setUint32(12, mixed(number + 2));
  return { family: 6, bytes, length: 128 };
}

export function lookupAt(reader: AllowlistReader, number: number): number {
  if (number % 2 === 0) return reader.lookup(ipv4Source(mixed(number)));
  if (number % 8 !== 7) return reader.lookup(ipv6Source(IPV6_HIGH, mixed(number), 1, 2));
  return reader.lookup(ipv6Source(IPV6_HIGH, mixed(number), mixed(number + 1), mixed(number + 2)));
}

/** Looks up a prefix that is never set: the key of a slot whose other words are not written yet. */
export function lookupHalfWritten(reader: AllowlistReader): number {
  return reader.lookup(ipv6Source(IPV6_HIGH, 0, 0, 0));
}
