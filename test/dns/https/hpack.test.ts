import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FieldName } from '../../../src/dns/https/field.ts';
import { Decoded, HpackDecoder } from '../../../src/dns/https/hpack/decoder.ts';
import { decodeHuffman } from '../../../src/dns/https/hpack/huffman.ts';

const NAMES = Object.fromEntries(Object.entries(FieldName).map(([name, value]) => [value, name]));
const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');

/** A decoder that lists the fields of each block, as `PATH /`. */
function reader(maxListBytes = 16_384) {
  const decoder = new HpackDecoder(maxListBytes, new Uint8Array(60_000));
  const fields: string[] = [];
  const sink = {
    field(name: FieldName, values: Uint8Array, start: number, end: number) {
      fields.push(`${NAMES[name]} ${Buffer.from(values.subarray(start, end)).toString('latin1')}`);
    },
  };
  return {
    decoder,
    read(bytes: Buffer) {
      fields.length = 0;
      const memory = Buffer.concat([Buffer.from([0xaa]), bytes, Buffer.alloc(50, 0xff)]);
      const verdict = decoder.decode(memory, 1, 1 + bytes.length, sink);
      return { verdict, fields: [...fields], size: decoder.table.size, entries: decoder.table.count };
    },
  };
}

describe('HPACK (RFC 7541)', () => {
  it.each([
    [
      'C.2.1',
      '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      ['OTHER custom-header'],
      55,
    ],
    ['C.2.2', '040c 2f73 616d 706c 652f 7061 7468', ['PATH /sample/path'], 0],
    ['C.2.3', '1008 7061 7373 776f 7264 0673 6563 7265 74', ['OTHER secret'], 0],
    ['C.2.4', '82', ['METHOD GET'], 0],
  ])('%s: decodes each representation of a field', (_, bytes, fields, size) => {
    expect(reader().read(hex(bytes))).toMatchObject({ verdict: Decoded.WHOLE, fields, size });
  });

  it.each([
    [
      'C.3: requests without Huffman code',
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
    ],
    [
      'C.4: requests with Huffman code',
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
    ],
  ])('%s', (_, blocks) => {
    const { read } = reader();
    expect(blocks.map((block) => read(hex(block)))).toEqual([
      {
        verdict: Decoded.WHOLE,
        fields: ['METHOD GET', 'SCHEME http', 'PATH /', 'AUTHORITY www.example.com'],
        size: 57,
        entries: 1,
      },
      {
        verdict: Decoded.WHOLE,
        fields: ['METHOD GET', 'SCHEME http', 'PATH /', 'AUTHORITY www.example.com', 'OTHER no-cache'],
        size: 110,
        entries: 2,
      },
      {
        verdict: Decoded.WHOLE,
        fields: [
          'METHOD GET',
          'SCHEME https',
          'PATH /index.html',
          'AUTHORITY www.example.com',
          'OTHER custom-value',
        ],
        size: 164,
        entries: 3,
      },
    ]);
  });

  it.each([
    [
      'C.5: responses without Huffman code, in a table of 256',
      [
        '3fe101 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '4803 3330 37c1 c0bf',
        '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
      ],
    ],
    [
      'C.6: responses with Huffman code, in a table of 256',
      [
        '3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
        '4883 640e ffc1 c0bf',
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ],
    ],
  ])('%s: evicts old entries', (_, blocks) => {
    const { read } = reader();
    const date = (seconds: number) => `OTHER Mon, 21 Oct 2013 20:13:${seconds} GMT`;
    const location = 'OTHER https://www.example.com';
    const cookie = 'OTHER foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
    expect(blocks.map((block) => read(hex(block)))).toMatchObject([
      { fields: ['UNKNOWN_PSEUDO 302', 'OTHER private', date(21), location], size: 222, entries: 4 },
      { fields: ['UNKNOWN_PSEUDO 307', 'OTHER private', date(21), location], size: 222, entries: 4 },
      {
        fields: ['UNKNOWN_PSEUDO 200', 'OTHER private', date(22), location, 'OTHER gzip', cookie],
        size: 215,
        entries: 3,
      },
    ]);
  });

  it.each([
    ['2.3.3: index 0', '80'],
    ['2.3.3: an index beyond both tables', 'be'],
    ['2.3.3: the name of an index beyond both tables', '7f 00 01 61'],
    ['5.1: an integer that is truncated', 'ff'],
    ['5.1: an endless integer', 'ff ff ff ff ff ff ff ff ff 01'],
    ['5.2: a string that is truncated', '00 05 61 62'],
    ['5.2: a missing name', '00'],
    ['5.2: a missing value', '00 01 61'],
    ['5.2: padding longer than 7 bits', '00 01 61 82 1f ff'],
    ['5.2: padding that is not all ones', '00 01 61 81 18'],
    ['5.2: EOS in a string', '00 01 61 84 ff ff ff ff'],
    ['4.2: a table above its maximum', '3f e2 1f'],
    ['4.2: a table size update after a field', '82 20'],
  ])('%s is malformed', (_, bytes) => {
    expect(reader().read(hex(bytes)).verdict).toBe(Decoded.MALFORMED);
  });

  it('4.3: a smaller table evicts at once, and 4.4: an entry larger than the table empties it', () => {
    const { read } = reader();
    expect(read(hex('40 01 61 01 62 40 01 63 01 64'))).toMatchObject({ entries: 2, size: 68 });
    expect(read(hex('3f 09 be'))).toMatchObject({ fields: ['OTHER d'], entries: 1 });
    expect(read(hex('40 04 61616161 06 626262626262'))).toMatchObject({ entries: 0, size: 0 });
    expect(read(hex('be')).verdict).toBe(Decoded.MALFORMED);
    expect(read(hex('20 3f e1 1f 82')).verdict).toBe(Decoded.WHOLE);
  });

  it('keeps the values of a table whose entries have all been replaced many times', () => {
    const { read } = reader();
    const expected: string[] = [];
    for (let i = 0; i < 5000; i++) {
      const value = `${i}`.repeat(1 + (i % 30));
      expected.unshift(`OTHER ${value}`);
      const { entries } = read(
        Buffer.concat([Buffer.from([0x40, 1, 0x78, value.length]), Buffer.from(value)]),
      );
      if (i % 100 > 0) continue;
      const { fields } = read(Buffer.from(Array.from({ length: entries }, (_, n) => 0x80 + 62 + n)));
      expect(fields).toEqual(expected.slice(0, entries));
    }
  });

  it('RFC 9113 10.5.1: stops delivering fields above the limit, and keeps its table right', () => {
    const { read } = reader(200);
    const bomb = Buffer.concat([hex('40 01 61 1e'), Buffer.alloc(30, 0x62), Buffer.alloc(10_000, 0xbe)]);
    const { verdict, fields, entries } = read(bomb);
    expect([verdict, fields.length, entries]).toEqual([Decoded.TOO_LARGE, 3, 1]);
    expect(read(hex('be')).fields).toEqual([`OTHER ${'b'.repeat(30)}`]);
  });

  it.each([
    ['a name in upper case', '00 01 41 01 61'],
    ['a name with a space', '00 02 61 20 01 61'],
    ['an empty name', '00 00 01 61'],
    ['a value with NUL', '00 01 61 01 00'],
    ['a value with CR', '00 01 61 02 61 0d'],
    ['a value with LF', '40 01 61 01 0a'],
    ['a value with space before it', '00 01 61 02 20 61'],
    ['a value with space behind it', '00 01 61 02 61 09'],
  ])('8.2.1 of RFC 9113: %s is not a field', (_, bytes) => {
    expect(reader().read(hex(bytes)).fields[0]).toMatch(/^INVALID/);
  });

  it('RFC 9113 8.2.1: an indexed entry with an invalid value stays invalid; its name alone may be used', () => {
    const { read } = reader();
    read(hex('42 01 0a'));
    expect(read(hex('be 0f 2f 01 62')).fields).toEqual(['INVALID \n', 'METHOD b']);
  });

  it('never reads past the end of a block (property)', () => {
    const { read } = reader();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { size, entries } = read(Buffer.from(bytes));
        expect(size).toBeLessThanOrEqual(4096);
        expect(entries).toBeLessThanOrEqual(128);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('HPACK Huffman coding (RFC 7541 5.2)', () => {
  const decode = (bytes: Buffer): string | null => {
    const into = new Uint8Array(bytes.length * 2 + 10);
    const end = decodeHuffman(bytes, 0, bytes.length, into, 3);
    return end < 0 ? null : Buffer.from(into.subarray(3, end)).toString('latin1');
  };

  it.each([
    ['f1e3 c2e5 f23a 6ba0 ab90 f4ff', 'www.example.com'],
    ['9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3', 'https://www.example.com'],
    ['', ''],
    // Codes of appendix B: 28 bits, 30 bits, 19 and 20 bits.
    ['ffff fe2f', '\x02'],
    ['ffff fff3', '\n'],
    ['fffe 1f', '\\'],
    ['fffe 6f', '\x80'],
    ['7fff fff3', null],
  ])('%s', (code, text) => {
    expect(decode(hex(code))).toBe(text);
  });
});
