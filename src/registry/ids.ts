import { createHash, timingSafeEqual } from 'node:crypto';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** The greatest multiple of 62 below 256: bytes from here on would make the first letters likelier. */
const FAIR_BELOW = 248;
/** 95 bits. */
const ID_LENGTH = 16;
/** 190 bits: nothing that a slow hash would have to protect. */
const SECRET_LENGTH = 32;
/** What a secret is for can be read off it, by people and by scanners of source code. */
const SECRET_PREFIXES = {
  account: 'ms_',
  session: 'mss_',
  link: 'msl_',
  ticket: 'mst_',
  'update-token': 'msu_',
} as const;
export type SecretKind = keyof typeof SECRET_PREFIXES;

export type RandomBytes = (count: number) => Uint8Array;

/** A random id of 16 letters and digits. */
export function makeId(randomBytes: RandomBytes): string {
  return randomText(ID_LENGTH, randomBytes);
}

/** A new secret: what it is for, and 32 random letters and digits. */
export function makeSecret(randomBytes: RandomBytes, kind: SecretKind = 'account'): string {
  return SECRET_PREFIXES[kind] + randomText(SECRET_LENGTH, randomBytes);
}

/** Whether a text begins as a secret of that kind does. */
export function looksLike(kind: SecretKind, text: string): boolean {
  return text.startsWith(SECRET_PREFIXES[kind]);
}

/** What is kept of a secret: its SHA-256, 32 bytes. */
export function hashSecret(secret: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(secret).digest());
}

/** Compares two hashes in a time that does not depend on where they differ. */
export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function randomText(length: number, randomBytes: RandomBytes): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < FAIR_BELOW && text.length < length) text += ALPHABET[byte % ALPHABET.length];
    }
  }
  return text;
}
