import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressFromBytes, formatAddress, parseAddress, sameAddress } from '../../src/net/index.ts';

const ipv4Bytes = fc.uint8Array({ minLength: 4, maxLength: 4 });
/** Many zero groups, as real addresses have. */
const ipv6Bytes = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));

describe('parseAddress', () => {
  test('parses what formatAddress writes', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4Bytes, ipv6Bytes), (bytes) => {
        const address = addressFromBytes(bytes);
        expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
    );
  });

  test('accepts the IPv6 texts that Node accepts, except zone ids', () => {
    const text = fc.oneof(
      fc.ipV6(),
      fc.string({
        unit: fc.constantFrom(':', '::', '0', 'f', 'A1', '12345', '1.2.3.4', '.', '%', 'g'),
        maxLength: 12,
      }),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        const expected = isIPv6(candidate) && !candidate.includes('%');
        expect(parseAddress(candidate) !== null).toBe(expected || isIPv4(candidate));
      }),
      { numRuns: 2000 },
    );
  });

  test('accepts the IPv4 texts that Node accepts', () => {
    const part = fc.oneof(
      fc.integer({ min: 0, max: 300 }).map(String),
      fc.constantFrom('', '00', '01', '0x1', '-1'),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 3, maxLength: 5 }), (parts) => {
        const candidate = parts.join('.');
        expect(parseAddress(candidate) !== null).toBe(isIPv4(candidate));
      }),
    );
  });

  test.each([
    '',
    ' ',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.04',
    '1.2.3.256',
    '0x7f.0.0.1',
    '2130706433',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '1.2.3.4\n',
    '1.2.3.4/32',
    '１.2.3.4',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '12345::',
    'g::',
    'fe80::1%eth0',
    '[::1]',
    '::1/64',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '::1.2.3',
    '::01.2.3.4',
    '::ffff:1.2.3.256',
  ])('rejects %j', (text) => {
    expect(parseAddress(text)).toBeNull();
  });

  test('turns IPv4-mapped IPv6 into IPv4, in every notation', () => {
    for (const text of ['::ffff:192.0.2.1', '::FFFF:c000:201', '0:0:0:0:0:ffff:192.0.2.1']) {
      expect(formatAddress(parseAddress(text)!)).toBe('192.0.2.1');
    }
  });
});

describe('formatAddress (RFC 5952)', () => {
  test.each([
    ['2001:0DB8:0000:0000:0000:0000:0002:0001', '2001:db8::2:1', '4.1, 4.2.1, 4.3'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1', '4.2.2: a single group is not shortened'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1', '4.2.3: the longest run'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1', '4.2.3: the first of equals'],
    ['0:0:0:0:0:0:0:0', '::', 'all zero'],
    ['0:0:0:0:0:0:0:1', '::1', 'zero at the front'],
    ['1:0:0:0:0:0:0:0', '1::', 'zero at the end'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221', 'an embedded IPv4 address'],
  ])('%s is %s (%s)', (text, expected) => {
    expect(formatAddress(parseAddress(text)!)).toBe(expected);
  });
});

test('addressFromBytes copies, and rejects other lengths', () => {
  const bytes = Uint8Array.of(192, 0, 2, 1);
  const address = addressFromBytes(bytes);
  bytes[0] = 0;
  expect(address.bytes[0]).toBe(192);
  expect(() => addressFromBytes(new Uint8Array(5))).toThrow(RangeError);
});

test('sameAddress compares family and bits', () => {
  expect(sameAddress(parseAddress('::1')!, parseAddress('0::1')!)).toBe(true);
  expect(sameAddress(parseAddress('::1')!, parseAddress('::2')!)).toBe(false);
  expect(sameAddress(parseAddress('0.0.0.0')!, parseAddress('::')!)).toBe(false);
});
