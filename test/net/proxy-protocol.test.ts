import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatSocketAddress,
  parseSocketAddress,
  readProxyHeader,
  writeProxyHeader,
} from '../../src/net/index.ts';

/** `address:port bytes`, or the kind if there is no source. */
function read(bytes: Uint8Array): string {
  const header = readProxyHeader(bytes, bytes.length);
  if (header.kind !== 'header') return header.kind;
  return `${header.source === null ? 'none' : formatSocketAddress(header.source)} ${header.bytes}`;
}
const text = (line: string) => read(Buffer.from(line, 'latin1'));
const v2 = (command: number, family: number, body: readonly number[], declared = body.length) =>
  Uint8Array.of(
    ...Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'),
    ...[command, family, declared >> 8, declared & 255],
    ...body,
  );
/** CRC-32C by table, checked against RFC 3720's vector. */
function castagnoli(bytes: Uint8Array): number {
  const table = Array.from({ length: 256 }, (_, n) => {
    let value = n;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0x82f63b78 ^ (value >>> 1) : value >>> 1;
    return value >>> 0;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 255]!;
  return (crc ^ 0xffffffff) >>> 0;
}
const V4_BODY = [192, 0, 2, 1, 198, 51, 100, 1, 0x30, 0x39, 1, 187];

describe('a PROXY header', () => {
  it('of version 1 names the client', () => {
    expect(text('PROXY TCP4 192.0.2.1 198.51.100.1 12345 443\r\n\x16')).toBe('192.0.2.1:12345 45');
    expect(text('PROXY TCP6 2001:db8::1 2001:db8::2 1 443\r\n')).toBe('[2001:db8::1]:1 42');
    expect(text('PROXY UNKNOWN what ever\r\n')).toBe('none 25');
  });

  it('of version 2 names the client, also with TLVs', () => {
    expect(read(v2(0x21, 0x11, V4_BODY))).toBe('192.0.2.1:12345 28');
    expect(read(v2(0x21, 0x11, [...V4_BODY, 4, 0, 1, 9]))).toBe('192.0.2.1:12345 32');
    expect(read(v2(0x20, 0, []))).toBe('none 16');
    expect(read(v2(0x20, 0x12, [...V4_BODY, 4, 0, 1, 9]))).toBe('none 32');
    expect(read(v2(0x21, 0x10, V4_BODY))).toBe('none 28');
    expect(read(v2(0x21, 0x31, new Array<number>(216).fill(0)))).toBe('none 232');
  });

  it('of version 2 may have a checksum, which must be right, in any place among other TLVs', () => {
    const tlv = (type: number, value: readonly number[]) => [
      type,
      value.length >> 8,
      value.length & 255,
      ...value,
    ];
    const NOOP = tlv(4, [0, 0]);
    const AUTHORITY = tlv(2, [...Buffer.from('films.example')]);
    const SSL = tlv(0x20, [1, 0, 0, 0, 0, ...tlv(0x21, [...Buffer.from('TLSv1.3')])]);
    const families: [number, readonly number[]][] = [
      [0x11, V4_BODY],
      [0x21, new Array<number>(36).fill(1)],
      [0x31, new Array<number>(216).fill(0)],
      [0x00, []],
    ];
    for (const [family, block] of families) {
      for (const command of [0x20, 0x21]) {
        for (const [before, behind] of [
          [[], []],
          [NOOP, []],
          [[...AUTHORITY, ...SSL], NOOP],
        ] as const) {
          const zeroed = v2(command, family, [...block, ...before, ...tlv(3, [0, 0, 0, 0]), ...behind]);
          const at = zeroed.length - behind.length - 4;
          const header = Uint8Array.from(zeroed);
          new DataView(header.buffer).setUint32(at, castagnoli(zeroed));
          expect(read(header)).toMatch(new RegExp(` ${header.length}$`));
          header[at]! ^= 1;
          expect(read(header)).toBe('malformed');
        }
      }
    }
    expect(castagnoli(new Uint8Array(32))).toBe(0x8a9136aa);
  });

  it.each([
    ['TLS', '\x16\x03\x01'],
    ['lower case', 'proxy TCP4 '],
    ['an address of the other family', 'PROXY TCP4 ::1 ::1 1 1\r\n'],
    ['no ports', 'PROXY TCP4 192.0.2.1 192.0.2.2\r\n'],
    ['a port too great', 'PROXY TCP4 192.0.2.1 192.0.2.2 65536 1\r\n'],
    ['a line too long', `PROXY UNKNOWN ${'x'.repeat(100)}\r\n`],
    ['an octal address', 'PROXY TCP4 0192.0.2.1 192.0.2.2 1 1\r\n'],
  ])('is not %s', (_, line) => {
    expect(text(line)).toBe('malformed');
  });

  it('of version 2 that is invalid is rejected', () => {
    expect(read(v2(0x11, 0x11, V4_BODY))).toBe('malformed');
    expect(read(v2(0x22, 0x11, V4_BODY))).toBe('malformed');
    expect(read(v2(0x21, 0x12, V4_BODY))).toBe('malformed');
    expect(read(v2(0x21, 0x11, [1, 2, 3]))).toBe('malformed');
    expect(read(v2(0x21, 0x11, V4_BODY, 0xffff))).toBe('malformed');
  });

  it('that is incomplete is waited for', () => {
    const line = Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 12345 443\r\n');
    for (const whole of [line, v2(0x21, 0x11, V4_BODY)]) {
      for (let cut = 0; cut < whole.length; cut++) expect(read(whole.subarray(0, cut))).toBe('partial');
    }
  });

  it('round-trips', () => {
    const sources = ['192.0.2.1:12345', '[2001:db8::1]:1'];
    for (const source of sources) {
      for (const destination of ['198.51.100.1:443', '[2001:db8::2]:443']) {
        const header = writeProxyHeader(parseSocketAddress(source)!, parseSocketAddress(destination)!);
        expect(read(header)).toBe(`${source} ${header.length}`);
      }
    }
  });

  it('of arbitrary bytes never throws', () => {
    const body = fc.uint8Array({ maxLength: 60 });
    fc.assert(
      fc.property(fc.nat(255), fc.nat(255), body, (command, family, bytes) => {
        expect(read(v2(command, family, [...bytes]))).toMatch(/^malformed$|^partial$| \d+$/);
      }),
      { numRuns: 200 },
    );
  });
});
