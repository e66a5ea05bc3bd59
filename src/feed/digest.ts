import { createHash } from 'node:crypto';
import type { Prefix, Profile } from './change.ts';
import { profileText } from './profile-text.ts';
import { type Snapshot, snapshotKeyBytes } from './snapshot.ts';

/** The hash of a profile: two words of 32 bits, from which those of its entries begin. */
export interface ProfileHash {
  readonly a: number;
  readonly b: number;
}

/** The first 64 bits of the SHA-1 of the profile's text. */
export function hashProfile(profile: Profile): ProfileHash {
  const bytes = createHash('sha1').update(profileText(profile)).digest();
  return { a: bytes.readUInt32BE(0), b: bytes.readUInt32BE(4) };
}

/**
 * A digest of a list of entries, whatever their order: two sums, modulo 2^32, of a hash of each. A change costs one
 * subtraction and one addition, so that a store keeps it beside its sequence number and a reader of the log can
 * tell that it has the same list. It finds mistakes, not forgeries.
 *
 * The hash of an entry, in each of the two words: h = the profile's word; then for each word w (family * 256 +
 * length; the key's bytes, four at a time, in network order) h = mix((h xor w) + 0x9e3779b9 mod 2^32), with mix the
 * finalizer of MurmurHash3 (32 bits).
 */
export class ListDigest {
  private a = 0;
  private b = 0;

  /** @param key bytes at `offset` hold it, as a snapshot's group does. */
  add(family: 4 | 6, length: number, key: Uint8Array, offset: number, profile: ProfileHash): void {
    this.a = (this.a + hashEntry(family, length, key, offset, profile.a)) | 0;
    this.b = (this.b + hashEntry(family, length, key, offset, profile.b)) | 0;
  }

  /** Takes away an entry as it was added. */
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

  /** 'a.b', both unsigned and decimal. */
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
