import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StreamFramer } from '../../src/wire/index.ts';

const framed = (...messages: Uint8Array[]): Uint8Array =>
  Uint8Array.from(messages.flatMap((message) => [message.length >>> 8, message.length & 0xff, ...message]));

function collect(framer: StreamFramer, chunks: Uint8Array[]): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (const chunk of chunks) {
    framer.push(Uint8Array.from(chunk), (message) => {
      found.push(Uint8Array.from(message));
      // The reader may write to what it is given.
      message.fill(0xff);
    });
  }
  return found;
}

describe('a stream of messages', () => {
  it('gives the same messages however its bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 8 }),
        fc.array(fc.nat(6000), { maxLength: 40 }),
        (messages, cuts) => {
          const bytes = framed(...messages);
          const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
          const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
          const framer = new StreamFramer();
          expect(collect(framer, chunks)).toEqual(messages);
          expect(framer.pendingBytes).toBe(0);
          expect(framer.oversized).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('gives the same messages byte by byte', () => {
    const messages = [new Uint8Array(0), Uint8Array.of(1), new Uint8Array(3000).fill(7), Uint8Array.of(2, 3)];
    const chunks = Array.from(framed(...messages), (byte) => Uint8Array.of(byte));
    expect(collect(new StreamFramer(), chunks)).toEqual(messages);
  });

  it('holds no more than one unfinished message and what came with it', () => {
    const framer = new StreamFramer();
    framer.push(framed(new Uint8Array(500), new Uint8Array(500)).subarray(0, 900), () => {});
    expect(framer.pendingBytes).toBe(900 - 502);
  });

  it('ends at the announcement of a message that is too long, after those before it', () => {
    const framer = new StreamFramer(100);
    const bytes = framed(Uint8Array.of(1), new Uint8Array(100), new Uint8Array(101), Uint8Array.of(2));
    expect(collect(framer, [bytes])).toEqual([Uint8Array.of(1), new Uint8Array(100)]);
    expect(framer.oversized).toBe(true);
    expect(framer.pendingBytes).toBe(0);
    expect(collect(framer, [framed(Uint8Array.of(3))])).toEqual([]);
  });

  it('sees the announcement of a message that is too long in two reads', () => {
    const framer = new StreamFramer(100);
    expect(collect(framer, [Uint8Array.of(0), Uint8Array.of(101)])).toEqual([]);
    expect(framer.oversized).toBe(true);
  });

  it('carries messages of 65535 bytes', () => {
    const longest = new Uint8Array(65535).fill(9);
    expect(collect(new StreamFramer(), [framed(longest)])).toEqual([longest]);
  });
});
