import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Address,
  contains,
  formatPrefix,
  parseAddress,
  parsePrefix,
  prefixOf,
  registrationPrefix,
} from '../../src/net/index.ts';

const address: fc.Arbitrary<Address> = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => ({ family: 4, bytes }) as const),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => ({ family: 6, bytes }) as const),
);

function bitAt(bytes: Uint8Array, index: number): number {
  return (bytes[index >> 3] >> (7 - (index & 7))) & 1;
}

function withLength(of: Address): fc.Arbitrary<[Address, number]> {
  return fc.tuple(fc.constant(of), fc.integer({ min: 0, max: 8 * of.bytes.length }));
}

describe('prefixOf', () => {
  test('keeps the first bits and clears the others', () => {
    fc.assert(
      fc.property(address.chain(withLength), ([of, length]) => {
        const prefix = prefixOf(of, length);
        for (let index = 0; index < 8 * of.bytes.length; index++) {
          expect(bitAt(prefix.bytes, index)).toBe(index < length ? bitAt(of.bytes, index) : 0);
        }
        expect(contains(prefix, of)).toBe(true);
      }),
    );
  });

  test("rejects lengths outside the family's range", () => {
    expect(() => prefixOf(parseAddress('1.2.3.4')!, 33)).toThrow(RangeError);
    expect(() => prefixOf(parseAddress('::1')!, 129)).toThrow(RangeError);
    expect(() => prefixOf(parseAddress('::1')!, 1.5)).toThrow(RangeError);
  });
});

test('contains an address exactly if its first bits are those of the prefix', () => {
  fc.assert(
    fc.property(address.chain(withLength), fc.nat(127), ([of, length], at) => {
      const index = at % (8 * of.bytes.length);
      const flipped = Uint8Array.from(of.bytes);
      flipped[index >> 3] ^= 0x80 >> (index & 7);
      expect(contains(prefixOf(of, length), { family: of.family, bytes: flipped })).toBe(index >= length);
    }),
  );
  expect(contains(parsePrefix('::/0')!, parseAddress('1.2.3.4')!)).toBe(false);
});

describe('parsePrefix', () => {
  test('parses what formatPrefix writes', () => {
    for (const text of [
      '203.0.113.7/32',
      '10.0.0.0/8',
      '0.0.0.0/0',
      '2001:db8:1:2::/64',
      '::/0',
      '::1/128',
    ]) {
      expect(formatPrefix(parsePrefix(text)!)).toBe(text);
    }
  });

  test.each([
    '10.0.0.1/8',
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '::/129',
    '::1/64',
    '/8',
    '1.2.3.4/32/32',
  ])('rejects %s', (text) => {
    expect(parsePrefix(text)).toBeNull();
  });

  test('turns a prefix of IPv4-mapped addresses into an IPv4 prefix', () => {
    expect(formatPrefix(parsePrefix('::ffff:10.0.0.0/104')!)).toBe('10.0.0.0/8');
    expect(parsePrefix('::ffff:0.0.0.0/95')).toBeNull();
  });
});

test('a home is registered by its IPv4 address or IPv6 /64', () => {
  expect(formatPrefix(registrationPrefix(parseAddress('203.0.113.7')!))).toBe('203.0.113.7/32');
  expect(formatPrefix(registrationPrefix(parseAddress('2001:db8:1:2:3:4:5:6')!))).toBe('2001:db8:1:2::/64');
});
