import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientHelloReader, MAX_PRELUDE_BYTES } from '../../../src/net/hello/client-hello.ts';
import { HelloState } from '../../../src/net/hello/server-name.ts';
import { hello, inRecords, nameList, POST_QUANTUM } from './build.ts';
import captured from './captured.json' with { type: 'json' };

const text = (reader: ClientHelloReader) =>
  Buffer.from(reader.bytes.subarray(reader.name.start, reader.name.end)).toString('latin1');

/** Result of reading a connection's first bytes at once. */
function read(bytes: Uint8Array): string | HelloState {
  const reader = new ClientHelloReader();
  const state = reader.read(bytes, bytes.length);
  return state === HelloState.NAMED ? text(reader) : state;
}

/** The same, in segments that end at `cuts`. */
function readInSegments(bytes: Uint8Array, cuts: readonly number[]): string | HelloState {
  const reader = new ClientHelloReader();
  for (const cut of [...cuts, bytes.length]) {
    const state = reader.read(bytes.slice(0, cut), cut);
    if (state === HelloState.NAMED) return text(reader);
    if (state !== HelloState.PARTIAL) return state;
  }
  return HelloState.PARTIAL;
}

describe('a ClientHello', () => {
  it.each([
    ['openssl', 'www.Test-Films.com'],
    ['openssl-tls12', 'www.test-films.com'],
    ['openssl-noname', HelloState.UNNAMED],
    ['curl', 'test-films.com'],
    ['curl-http1.1', 'test-films.com'],
    ['chromium', 'test-films.com'],
  ] as const)('of %s is read, whole and byte by byte', (client, expected) => {
    const bytes = Uint8Array.from(Buffer.from(captured[client], 'base64'));
    expect(read(bytes)).toBe(expected);
    expect(readInSegments(bytes, [...bytes.keys()])).toBe(expected);
  });

  it('with post-quantum key shares is read across any segments and records', () => {
    const message = hello({ name: 'films.example', extensions: [POST_QUANTUM, [0x2a2a, []]] });
    expect(message.length).toBeGreaterThan(1300);
    expect(readInSegments(inRecords(message), [1300])).toBe('films.example');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3000 }),
        fc.array(fc.nat(8000), { maxLength: 8 }),
        (size, cuts) => {
          const bytes = inRecords(message, size);
          const sorted = cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b);
          expect(readInSegments(bytes, sorted)).toBe('films.example');
        },
      ),
      { numRuns: 50 },
    );
  });

  it('with ECH yields its outer name', () => {
    const bytes = inRecords(hello({ name: 'outer.example', extensions: [[0xfe0d, [0, 1, 2, 3]]] }));
    expect(read(bytes)).toBe('outer.example');
  });

  it('longer than 16 KiB is rejected by its header; one of 16 KiB is read', () => {
    const declared = Uint8Array.of(22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff);
    expect(read(declared)).toBe(HelloState.TOO_LONG);
    const padding = (bytes: number): [number, number[]] => [21, new Array<number>(bytes).fill(0)];
    const rest = hello({ name: 'a.example', extensions: [padding(0)] }).length;
    const greatest = hello({ name: 'a.example', extensions: [padding(16_384 - rest)] });
    expect(read(inRecords(greatest))).toBe('a.example');
    const tooLong = hello({ name: 'a.example', extensions: [padding(16_385 - rest)] });
    expect(read(inRecords(tooLong, 16_000))).toBe(HelloState.TOO_LONG);
  });

  it('in too many records is rejected', () => {
    const message = hello({ name: 'a.example', extensions: [[21, new Array<number>(16_000).fill(0)]] });
    const bytes = inRecords(message, 1);
    const cuts = [...bytes.keys()].filter((at) => at % 7 === 1);
    expect(bytes.length).toBeGreaterThan(MAX_PRELUDE_BYTES);
    expect(readInSegments(bytes, cuts)).toBe(HelloState.TOO_LONG);
  });

  it.each([
    ['is of plain HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['is an alert', Uint8Array.of(21, 3, 1, 0, 2, 1, 0)],
    ['is of SSL 2', Uint8Array.of(0x80, 0x2e, 1, 0, 2)],
    ['has an empty record', Uint8Array.of(22, 3, 1, 0, 0)],
    ['has a record of more than 16 KiB', Uint8Array.of(22, 3, 1, 0x40, 1)],
    ['is a ServerHello', Uint8Array.of(22, 3, 1, 0, 4, 2)],
    ['has bytes behind it', inRecords(Uint8Array.of(...hello({ name: 'a.example' }), 0))],
    [
      'has two server names',
      inRecords(hello({ serverNames: [nameList('a.example'), nameList('b.example')] })),
    ],
    [
      'has two names in its list',
      inRecords(hello({ serverNames: [[0, 12, 0, 0, 3, 97, 46, 98, 0, 0, 3, 97, 46, 99]] })),
    ],
    ['has a name of another type', inRecords(hello({ serverNames: [nameList('a.example', 1)] }))],
    ['has an empty list of names', inRecords(hello({ serverNames: [[0, 0]] }))],
    ['has an empty name', inRecords(hello({ serverNames: [[0, 3, 0, 0, 0]] }))],
    [
      'has a list that is longer than the extension',
      inRecords(hello({ serverNames: [[0, 9, 0, 0, 1, 97]] })),
    ],
  ])('that %s is rejected', (_, bytes) => {
    expect(read(bytes)).toBe(HelloState.MALFORMED);
  });

  it('that is incomplete is waited for', () => {
    const bytes = inRecords(hello({ name: 'a.example', extensions: [[0x1234, [1, 2]]] }));
    for (let length = 0; length < bytes.length; length++) {
      expect(read(bytes.slice(0, length))).toBe(HelloState.PARTIAL);
    }
  });

  it('of arbitrary bytes, or with any byte changed, never throws and never yields a name outside it', () => {
    const good = inRecords(hello({ name: 'a.example', extensions: [POST_QUANTUM] }), 700);
    const changed = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, byte]) => {
      const bytes = good.slice();
      bytes[at] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), changed), (bytes) => {
        const reader = new ClientHelloReader();
        const state = reader.read(bytes, bytes.length);
        expect(Object.values(HelloState)).toContain(state);
        if (state !== HelloState.NAMED) return;
        expect(reader.name.end).toBeLessThanOrEqual(reader.bytes.length);
        expect(reader.name.start).toBeLessThan(reader.name.end);
      }),
      { numRuns: 500 },
    );
  });
});
