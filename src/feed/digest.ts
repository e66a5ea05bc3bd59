import { createHash } from 'node:crypto';
import type { Prefix, Profile } from './change.ts';
import { profileText } from './profile-text.ts';
import { type Snapshot, snapshotKeyBytes } from './snapshot.ts';

/** The hash of a profile: two 32-bit words, which seed the hashes of its entries. */
export interface ProfileHash {
  readonly a: number;
  readonly b: number;
}

/** Hashes a profile: the first 64 bits of the SHA-1 of its text. */
export function hashProfile(profile: Profile): ProfileHash {
  const bytes = createHash('sha1').update(profileText(profile)).digest();
  return { a: bytes.readUInt32BE(0), b: bytes.readUInt32BE(4) };
}

/**
 * A digest of the allowlist, independent of order: two sums, modulo 2^32, of a hash of each entry. A change costs one
 * subtraction and one addition, so a store keeps the digest beside its seq and followers compare theirs. It finds
 * mistakes, not forgeries.
 *
 * The hash of an entry, for each of the two words: h = the profile's word; then for each word w (family * 256 + length;
 * the key's bytes, four at a time, in network order) h = mix((h xor w) + 0x9e3779b9 mod 2^32), where mix is the
 * finalizer of MurmurHash3 (32 bits).
 */
export class ListDigest {
  private a = 0;
  private b = 0;

  /** Adds an entry. @param key holds the entry's key at `offset`, as in a snapshot's group */
  add(family: 4 | 6, length: number, key: Uint8Array, offset: number, profile: ProfileHash): void {
    this.a = (this.a + hashEntry(family, length, key, offset, profile.a)) | 0;
    this.b = (this.b + hashEntry(family, length, key, offset, profile.b)) | 0;
  }

  /** Takes an entry away; the arguments are those of `add`. */
  subtract(family: 4 | 6, length: number, key: Uint8Array, offset: number, profile: ProfileHash): void {
    this.a = (this.a - hashEntry(family, length, key, offset, profile.a)) | 0;
    this.b = (this.b - hashEntry(family, length, key, offset, profile.b)) | 0;
  }

  addPrefix({ family, length, bytes }: Prefix, profile: ProfileHash): void {
    this.add(family, length, bytes, 0, profile);
  }

  subtractPrefix({ family, length, bytes }: Prefix, profile: ProfileHash): void {
    this.subtract(family, length, bytes, 0, profile);
  }

  /** Returns 'a.b', both unsigned decimals. */
  toString(): string {
    return digestText(this.a, this.b);
  }
}

export function digestText(a: number, b: number): string {
  return `${a >>> 0}.${b >>> 0}`;
}

export function digestSnapshot(snapshot: Snapshot): string {
  const digest = new ListDigest();
  const hashes = snapshot.profiles.map(hashProfile);
  for (const { family, length, count, keys, profiles } of snapshot.groups) {
    const width = snapshotKeyBytes(family, length);
    for (let index = 0; index < count; index++) {
      digest.add(family, length, keys, index * width, hashes[profiles[index]]);
    }
  }
  return digest.toString();
}

function hashEntry(family: 4 | 6, length: number, key: Uint8Array, offset: number, seed: number): number {
  let hash = mix((seed ^ (family * 256 + length)) + 0x9e37_79b9);
  const end = offset + snapshotKeyBytes(family, length);
  for (let at = offset; at < end; at += 4) {
    const word = (key[at] << 24) | (key[at + 1] << 16) | (key[at + 2] << 8) | key[at + 3];
    hash = mix((hash ^ word) + 0x9e37_79b9);
  }
  return hash;
}

function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}
