import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { BundleError } from './bundle-error.ts';

/** Bytes of an ed25519 public key, and of its DER form's prefix (RFC 8410). */
const KEY_BYTES = 32;
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

export interface BundleKeys {
  /** PEM, PKCS #8. Its holder decides which names every edge steers. */
  readonly privateKey: string;
  /** Base64 of 32 bytes, for `catalog.bundle.publicKey`. */
  readonly publicKey: string;
}

/** Makes an ed25519 key pair. */
export function generateBundleKeys(): BundleKeys {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    publicKey: formatPublicKey(publicKey),
  };
}

/** @throws BundleError unless the text is an ed25519 private key in PEM */
export function readPrivateKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Node's message may quote the key.
  }
  throw new BundleError('bad_key', 'found no ed25519 private key, expected PEM as catalog keygen writes it');
}

/** @returns null unless the text is the base64 of 32 bytes */
export function parsePublicKey(text: string): KeyObject | null {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== text) return null;
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, bytes]), format: 'der', type: 'spki' });
}

/** Base64 of the public half of a key. */
export function formatPublicKey(key: KeyObject): string {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  const der = half.export({ type: 'spki', format: 'der' });
  return der.subarray(SPKI_PREFIX.length).toString('base64');
}
