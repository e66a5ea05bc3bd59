import { snapshotKeyBytes } from '../../feed/index.ts';
import type { Prefix } from '../../net/index.ts';

/**
 * Makes the store's key of a prefix: family, length in bits, then the address as in a snapshot's group (4 bytes for
 * IPv4, 8 for IPv6 up to /64, else 16). Keys sort by family, length and address.
 */
export function prefixKey(prefix: Prefix): Uint8Array {
  const width = snapshotKeyBytes(prefix.family, prefix.length);
  const key = new Uint8Array(2 + width);
  key[0] = prefix.family;
  key[1] = prefix.length;
  key.set(prefix.bytes.subarray(0, width), 2);
  return key;
}

/** Reads a prefix back from its key. */
export function prefixOfKey(key: Uint8Array): Prefix {
  const family = key[0] as 4 | 6;
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  bytes.set(key.subarray(2));
  return { family, bytes, length: key[1] };
}
