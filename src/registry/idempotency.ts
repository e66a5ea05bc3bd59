import { createHash, createHmac } from 'node:crypto';
import { InvalidFieldError } from './errors.ts';
import type { IdempotencyMark } from './store/store.ts';

const KEPT_MS = 24 * 3_600_000;
const MAX_KEY_LENGTH = 255;

/**
 * Makes the mark by which a repeated call is recognized; null for a call without a key. The body's fingerprint is keyed
 * by the client's key, which is not kept, so that the body's address cannot be found by trying all addresses.
 *
 * @param scope caller and call: a key is valid within its scope
 * @param body JSON values that must be equal in a repeat
 * @throws InvalidFieldError
 */
export function idempotencyMark(
  key: string | undefined,
  scope: readonly string[],
  body: unknown,
  nowMs: number,
): IdempotencyMark | null {
  if (key === undefined) return null;
  if (key.length === 0 || key.length > MAX_KEY_LENGTH) {
    throw new InvalidFieldError('idempotencyKey', `1 to ${MAX_KEY_LENGTH} characters`);
  }
  const keyHash = createHash('sha256')
    .update(JSON.stringify([...scope, key]))
    .digest();
  const fingerprint = createHmac('sha256', key).update(JSON.stringify(body)).digest();
  return {
    key: new Uint8Array(keyHash),
    fingerprint: new Uint8Array(fingerprint),
    expiresAtMs: nowMs + KEPT_MS,
  };
}
