import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  equalBytes,
  hashName,
  hashSuffixes,
  MALFORMED,
  MAX_LABELS,
  MAX_NAME_BYTES,
  NameScratch,
  nameFromText,
  readName,
  skipName,
  textFromName,
} from '../../src/wire/index.ts';
import { dottedNames, messageOf, theirName } from './support.ts';

/** Wire form with any bytes in its labels, 255 at most. */
const wireNames = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 63 }), { maxLength: 130 })
  .map((labels) => {
    const bytes: number[] = [];
    for (const label of labels) {
      if (bytes.length + label.length + 2 > MAX_NAME_BYTES) break;
      bytes.push(label.length, ...label);
    }
    return Uint8Array.from([...bytes, 0]);
  });

function read(
  message: Uint8Array,
  offset: number,
  length = message.length,
): { end: number; name: Uint8Array; labels: number } {
  const name = new NameScratch();
  const end = readName(message, length, offset, name);
  return { end, name: name.bytes.slice(0, name.length), labels: name.labelCount };
}

/** A name's bytes with ASCII letters in lower case. Lengths stay: 63 is below the letters. */
function lower(name: Uint8Array): Uint8Array {
  return name.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte));
}

describe('a name in a message', () => {
  it('is read as dns-packet writes it, in lower case', () => {
    fc.assert(
      fc.property(dottedNames, (dotted) => {
        const encoded = theirName.encode(dotted);
        const message = Buffer.concat([Buffer.alloc(12), encoded, Buffer.from('rest')]);
        const { end, name, labels } = read(message, 12);
        expect(end).toBe(12 + encoded.length);
        expect(skipName(message, message.length, 12)).toBe(end);
        expect(name).toEqual(lower(Uint8Array.from(encoded)));
        expect(labels).toBe(dotted === '.' ? 0 : dotted.split('.').length);
        expect(theirName.decode(Buffer.from(name))).toBe(dotted.replace(/[A-Z]/g, (c) => c.toLowerCase()));
      }),
    );
  });

  it('may have any byte in its labels, and knows where they start', () => {
    fc.assert(
      fc.property(wireNames, (bytes) => {
        const scratch = new NameScratch();
        const message = messageOf(...bytes);
        expect(readName(message, message.length, 12, scratch)).toBe(message.length);
        expect(scratch.bytes.subarray(0, scratch.length)).toEqual(lower(bytes));
        let at = 0;
        for (let i = 0; i < scratch.labelCount; i++) {
          expect(scratch.labelOffsets[i]).toBe(at);
          at += bytes[at] + 1;
        }
        expect(scratch.labelOffsets[scratch.labelCount]).toBe(at);
        expect(at).toBe(bytes.length - 1);
      }),
    );
  });

  it('goes on where its pointer leads, and ends behind that', () => {
    fc.assert(
      fc.property(dottedNames, dottedNames, fc.integer({ min: 0, max: 12 }), (above, below, cut) => {
        const target = theirName.encode(above);
        const own = below === '.' ? [] : below.split('.').slice(0, cut);
        const start = 12 + target.length;
        const front = own.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]);
        const message = Uint8Array.from([...messageOf(...target), ...front, 0xc0, 12, 1, 2, 3]);
        const whole = Uint8Array.from([...front, ...target]);
        const { end, name } = read(message, start);
        if (whole.length > MAX_NAME_BYTES) {
          expect(end).toBe(MALFORMED);
          return;
        }
        expect(end).toBe(start + front.length + 2);
        expect(skipName(message, message.length, start)).toBe(end);
        expect(name).toEqual(lower(whole));
        const theirs = theirName.decode(Buffer.from(message), start);
        expect(lower(Buffer.from(theirs === '.' ? '' : theirs, 'utf8')).toString()).toBe(
          lower(Buffer.from(theirName.decode(Buffer.from(whole)).replace(/^\.$/, ''), 'utf8')).toString(),
        );
      }),
    );
  });

  it('may be 255 bytes long, and not 256', () => {
    const label = (length: number): number[] => [length, ...new Array<number>(length).fill(0x61)];
    const longest = messageOf(...label(63), ...label(63), ...label(63), ...label(61), 0);
    expect(read(longest, 12)).toMatchObject({ end: 12 + 255, labels: 4 });
    expect(skipName(longest, longest.length, 12)).toBe(12 + 255);
    const tooLong = messageOf(...label(63), ...label(63), ...label(63), ...label(62), 0);
    expect(read(tooLong, 12).end).toBe(MALFORMED);
    expect(skipName(tooLong, tooLong.length, 12)).toBe(MALFORMED);
    const most = messageOf(...new Array(MAX_LABELS).fill([1, 0x61]).flat(), 0);
    expect(read(most, 12)).toMatchObject({ end: 12 + 255, labels: 127 });
    const oneMore = messageOf(...new Array(MAX_LABELS + 1).fill([1, 0x61]).flat(), 0);
    expect(read(oneMore, 12).end).toBe(MALFORMED);
  });

  it('of 256 bytes is malformed also where a pointer makes it so', () => {
    const label = (length: number): number[] => [length, ...new Array<number>(length).fill(0x61)];
    const target = [...label(63), ...label(63), ...label(63), 0];
    const fits = messageOf(...target, ...label(61), 0xc0, 12);
    expect(read(fits, 12 + 193)).toMatchObject({ end: 12 + 193 + 64, labels: 4 });
    const over = messageOf(...target, ...label(62), 0xc0, 12);
    expect(read(over, 12 + 193).end).toBe(MALFORMED);
  });

  it.each<[string, number[]]>([
    ['is a pointer to itself', [0xc0, 12]],
    ['is a pointer forward', [0xc0, 14, 0]],
    ['points behind the message', [0xff, 0xff]],
    ['points into itself', [1, 0x61, 0xc0, 12]],
    ['has a label of the type 01', [0x40, 0x61, 0]],
    ['has a label of the type 10', [0x80, 0x61, 0]],
    ['has no end', [1, 0x61]],
    ['has a label that runs past the message', [5, 0x61, 0x61]],
    ['is half a pointer', [0xc0]],
    ['is not there', []],
  ])('that %s is malformed', (_, bytes) => {
    const message = messageOf(...bytes);
    expect(read(message, 12).end).toBe(MALFORMED);
  });

  it('may not go in circles by two pointers', () => {
    expect(read(messageOf(0xc0, 14, 0xc0, 12), 14).end).toBe(MALFORMED);
    expect(read(messageOf(1, 0x61, 0xc0, 16, 1, 0x62, 0xc0, 12), 16).end).toBe(MALFORMED);
  });

  it('may follow pointers as often as a name has labels, and no chain of thousands', () => {
    const chain = (hops: number): Uint8Array => {
      const bytes = [0];
      for (let i = 0; i < hops; i++) {
        const target = i === 0 ? 12 : 12 + 1 + (i - 1) * 2;
        bytes.push(0xc0 | (target >>> 8), target & 0xff);
      }
      return messageOf(...bytes);
    };
    const last = (message: Uint8Array): number => read(message, message.length - 2).end;
    expect(last(chain(1))).toBeGreaterThan(0);
    expect(last(chain(MAX_LABELS))).toBeGreaterThan(0);
    expect(last(chain(MAX_LABELS + 1))).toBe(MALFORMED);
    expect(last(chain(8000))).toBe(MALFORMED);
  });

  it('that is cut off anywhere is malformed, and nothing throws', () => {
    fc.assert(
      fc.property(wireNames, (bytes) => {
        const message = messageOf(...bytes);
        for (let length = 0; length < message.length; length++) {
          expect(read(message, 12, length).end).toBe(MALFORMED);
          expect(skipName(message, length, 12)).toBe(MALFORMED);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('is never read past the message or into a throw, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(600), (bytes, offset) => {
        const { end, name } = read(bytes, offset);
        const skipped = skipName(bytes, bytes.length, offset);
        if (end === MALFORMED) return;
        expect(end).toBeLessThanOrEqual(bytes.length);
        expect(name.length).toBeLessThanOrEqual(MAX_NAME_BYTES);
        expect(skipped).toBe(end);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the hashes of a name', () => {
  it('are for each suffix what hashName gives for it, and change with the seed', () => {
    fc.assert(
      fc.property(wireNames, fc.integer(), (bytes, seed) => {
        const scratch = new NameScratch();
        const message = messageOf(...bytes);
        readName(message, message.length, 12, scratch);
        const hashes = new Int32Array(MAX_LABELS + 1);
        hashSuffixes(scratch, seed, hashes);
        for (let i = 0; i <= scratch.labelCount; i++) {
          const suffix = scratch.bytes.slice(scratch.labelOffsets[i], scratch.length);
          expect(hashes[i]).toBe(hashName(suffix, seed));
        }
        expect(hashName(scratch.bytes.slice(0, scratch.length), seed)).not.toBe(
          hashName(scratch.bytes.slice(0, scratch.length), seed ^ 1),
        );
      }),
    );
  });

  it('spread names that differ little over a small table', () => {
    const buckets = new Uint32Array(64);
    for (let i = 0; i < 6400; i++) buckets[hashName(nameFromText(`cdn${i}.example.com`)!, 99) & 63]++;
    expect(Math.max(...buckets)).toBeLessThan(160);
    expect(Math.min(...buckets)).toBeGreaterThan(50);
  });
});

describe('a name as text', () => {
  it('and in wire form says the same, any byte included', () => {
    fc.assert(
      fc.property(wireNames, (bytes) => {
        const text = textFromName(bytes);
        expect(text).toMatch(/^[!-~]+$/);
        expect(nameFromText(text)).toEqual(lower(bytes));
      }),
    );
  });

  it.each<[string, number[] | null]>([
    ['.', [0]],
    ['a', [1, 0x61, 0]],
    ['A.b.', [1, 0x61, 1, 0x62, 0]],
    ['a\\.b', [3, 0x61, 0x2e, 0x62, 0]],
    ['\\065', [1, 0x61, 0]],
    ['\\255\\000', [2, 255, 0, 0]],
    ['\\\\', [1, 0x5c, 0]],
    ['bücher.example', [...Buffer.from('\x0dxn--bcher-kva\x07example'), 0]],
    ['', null],
    ['..', null],
    ['.a', null],
    ['a..b', null],
    ['\\256', null],
    ['a\\', null],
    ['a'.repeat(64), null],
  ])('%j is read as %j', (text, bytes) => {
    expect(nameFromText(text)).toEqual(bytes === null ? null : Uint8Array.from(bytes));
  });

  it('may be 255 bytes in wire form, and not 256', () => {
    const label = 'a'.repeat(63);
    expect(nameFromText(`${label}.${label}.${label}.${'a'.repeat(61)}`)).toHaveLength(255);
    expect(nameFromText(`${label}.${label}.${label}.${'a'.repeat(62)}`)).toBeNull();
  });
});

it('equalBytes compares just the bytes named', () => {
  const a = Uint8Array.of(1, 2, 3, 4);
  const b = Uint8Array.of(9, 2, 3, 9);
  expect(equalBytes(a, 1, b, 1, 2)).toBe(true);
  expect(equalBytes(a, 0, b, 0, 2)).toBe(false);
  expect(equalBytes(a, 1, b, 1, 3)).toBe(false);
});
