import { snapshotKeyBytes } from '../../feed/index.ts';
import type { Prefix } from '../../net/index.ts';

/**
 * A prefix as the store's key: family, length in bits, then the address's bytes as a snapshot's group has them
 * (4 for IPv4, 8 for IPv6 up to /64, else 16). Keys sort by family, length, address, as a snapshot's groups do.
 */
export function prefixKey(prefix: Prefix): Uint8Array {
  const width = snapshotKeyBytes(prefix.family, prefix.length);
  const key = new Uint8Array(2 + width);
  key[0] = prefix.family;
  key[1] = prefix.length;
  key.set(prefix.bytes.subarray(0, width), 2);
  return key;
}

/** The prefix that a key was made of. */
export function prefixOfKey(key: Uint8Array): Prefix {
  const family = key[0] as 4 | 6;
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  bytes.set(key.subarray(2));
  return { family, bytes, length: key[1] };
}
