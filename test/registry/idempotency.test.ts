import { expect, it } from 'vitest';
import { InvalidFieldError } from '../../src/registry/errors.ts';
import { idempotencyMark } from '../../src/registry/idempotency.ts';

const NOW_MS = 1_000;

it('makes no mark without a key', () => {
  expect(idempotencyMark(undefined, ['call'], {}, NOW_MS)).toBeNull();
});

it('distinguishes calls, callers, keys and bodies, for a day', () => {
  const mark = (scope: string[], key: string, body: unknown) => idempotencyMark(key, scope, body, NOW_MS)!;
  const first = mark(['register', 'a'], 'k', [1]);
  expect(mark(['register', 'a'], 'k', [1])).toEqual(first);
  expect(mark(['register', 'a'], 'k', [2]).key).toEqual(first.key);
  expect(mark(['register', 'a'], 'k', [2]).fingerprint).not.toEqual(first.fingerprint);
  expect(mark(['register', 'b'], 'k', [1]).key).not.toEqual(first.key);
  expect(mark(['register'], 'ak', [1]).key).not.toEqual(first.key);
  expect(first.expiresAtMs).toBe(NOW_MS + 24 * 3_600_000);
});

it('keys the fingerprint, so that the body cannot be found by trial', () => {
  const one = idempotencyMark('k1', ['call'], '198.51.99.7', NOW_MS)!;
  const other = idempotencyMark('k2', ['call'], '198.51.99.7', NOW_MS)!;
  expect(one.fingerprint).not.toEqual(other.fingerprint);
});

it.each(['', 'x'.repeat(256)])('refuses a key of another length', (key) => {
  expect(() => idempotencyMark(key, ['call'], {}, NOW_MS)).toThrow(InvalidFieldError);
});
