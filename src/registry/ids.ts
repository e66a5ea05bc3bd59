import { createHash, timingSafeEqual } from 'node:crypto';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Largest multiple of 62 below 256: higher bytes would make the first letters more likely. */
const FAIR_BELOW = 248;
/** 95 bits. */
const ID_LENGTH = 16;
/** 190 bits: too many to guess, so a fast hash is enough. */
const SECRET_LENGTH = 32;
/** Tell people and secret scanners what a secret is for. */
const SECRET_PREFIXES = {
  account: 'ms_',
  session: 'mss_',
  link: 'msl_',
  ticket: 'mst_',
  'update-token': 'msu_',
} as const;
export type SecretKind = keyof typeof SECRET_PREFIXES;

export type RandomBytes = (count: number) => Uint8Array;

/** Makes a random id of 16 letters and digits. */
export function makeId(randomBytes: RandomBytes): string {
  return randomText(ID_LENGTH, randomBytes);
}

/** Makes a secret: a prefix for its kind and 32 random letters and digits. */
export function makeSecret(randomBytes: RandomBytes, kind: SecretKind = 'account'): string {
  return SECRET_PREFIXES[kind] + randomText(SECRET_LENGTH, randomBytes);
}

/** Base32 of RFC 4648 section 6, in lower case: host names and URLs lose their case on the way. */
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
/** 130 bits. */
const PRIVATE_TOKEN_LENGTH = 26;

/** Makes the token of a private name: 26 characters of base32, a label of a host name. */
export function makePrivateToken(randomBytes: RandomBytes): string {
  return Array.from(randomBytes(PRIVATE_TOKEN_LENGTH), (byte) => BASE32[byte % BASE32.length]).join('');
}

/** True if a text has the prefix of that kind of secret. */
export function looksLike(kind: SecretKind, text: string): boolean {
  return text.startsWith(SECRET_PREFIXES[kind]);
}

/** Hashes a secret for storage: SHA-256, 32 bytes. */
export function hashSecret(secret: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(secret).digest());
}

/** Compares two hashes in constant time. */
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
