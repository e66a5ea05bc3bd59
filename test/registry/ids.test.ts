import { createHash, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { hashSecret, makeId, makeSecret, sameHash } from '../../src/registry/ids.ts';

it('uses all letters of an id equally often', () => {
  const counts = new Map<string, number>();
  for (let index = 0; index < 8_000; index++) {
    for (const letter of makeId(randomBytes)) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  expect(counts.size).toBe(62);
  const mean = 128_000 / 62;
  for (const count of counts.values()) expect(Math.abs(count - mean)).toBeLessThan(mean * 0.2);
});

it('skips bytes that would favor the first letters', () => {
  let asked = 0;
  const biased = (count: number) => new Uint8Array(count).fill(asked++ === 0 ? 255 : 61);
  expect(makeId(biased)).toBe('z'.repeat(16));
});

it('makes secrets of 190 bits and hashes them by SHA-256', () => {
  const secret = makeSecret(randomBytes);
  expect(secret).toMatch(/^ms_[0-9A-Za-z]{32}$/);
  const hash = hashSecret(secret);
  expect(Buffer.from(hash)).toEqual(createHash('sha256').update(secret).digest());
  expect(hash.buffer.byteLength, 'fit to be sent to a thread').toBe(32);
  expect(sameHash(hash, hashSecret(secret))).toBe(true);
  expect(sameHash(hash, hashSecret(`${secret}x`))).toBe(false);
  expect(sameHash(hash, hash.subarray(1))).toBe(false);
});
