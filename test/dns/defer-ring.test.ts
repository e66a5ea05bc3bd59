import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocateRing, RingReader, RingWriter } from '../../src/dns/defer-ring.ts';
import { patternRecord } from './defer-ring-pattern.ts';

function write(ring: RingWriter, record: Uint8Array): boolean {
  const at = ring.reserve(record.length);
  if (at < 0) return false;
  ring.bytes.set(record, at);
  ring.commit(record.length);
  return true;
}

function drain(ring: RingReader): Uint8Array[] {
  const found: Uint8Array[] = [];
  ring.drain((bytes, offset, length) => found.push(bytes.slice(offset, offset + length)));
  return found;
}

/** A ring whose counters are about to overflow at 2^32. */
function nearWrap(capacity: number): SharedArrayBuffer {
  const memory = allocateRing(capacity);
  new Int32Array(memory).fill(-2 * capacity, 0, 2);
  return memory;
}

describe('the ring', () => {
  it('gives every record whole and in order, however writing and reading take turns', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.constant('drain' as const)), {
          maxLength: 200,
        }),
        fc.boolean(),
        (steps, wraps) => {
          const memory = wraps ? nearWrap(256) : allocateRing(256);
          const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
          const written: Uint8Array[] = [];
          const read: Uint8Array[] = [];
          for (const step of steps) {
            if (step === 'drain') read.push(...drain(reader));
            else if (write(writer, step)) written.push(step);
          }
          read.push(...drain(reader));
          expect(read).toEqual(written);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('takes any record of up to half its size when it is empty', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(124), { maxLength: 60 }), (lengths) => {
        const memory = allocateRing(256);
        const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
        for (const length of lengths) {
          expect(write(writer, new Uint8Array(length).fill(length))).toBe(true);
          expect(drain(reader)).toEqual([new Uint8Array(length).fill(length)]);
        }
      }),
    );
  });

  it('that is full takes nothing, keeps what it has, and has room again when that is read', () => {
    const memory = allocateRing(64);
    const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
    const record = new Uint8Array(12).fill(7);
    for (let i = 0; i < 4; i++) expect(write(writer, record)).toBe(true);
    expect(writer.reserve(12)).toBe(-1);
    expect(writer.reserve(0)).toBe(-1);
    expect(drain(reader)).toEqual([record, record, record, record]);
    expect(write(writer, record)).toBe(true);
    expect(drain(reader)).toEqual([record]);
  });

  it('takes no record that is larger than itself', () => {
    const writer = new RingWriter(allocateRing(64));
    expect(writer.reserve(64)).toBe(-1);
    expect(writer.reserve(1000)).toBe(-1);
    expect(writer.reserve(60)).toBeGreaterThan(0);
  });

  it('shows nothing that was reserved and not committed', () => {
    const memory = allocateRing(64);
    const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
    writer.reserve(8);
    expect(drain(reader)).toEqual([]);
    writer.reserve(4);
    writer.commit(4);
    expect(drain(reader)).toHaveLength(1);
  });

  it('wakes the reader of another thread: all records of a thread that writes as fast as it can arrive whole', async () => {
    const memory = allocateRing(4096);
    const reader = new RingReader(memory);
    const records = 50_000;
    const thread = new Worker(new URL('./defer-ring-thread.ts', import.meta.url), {
      workerData: { memory, records },
    });
    let next = 0;
    let wrong = 0;
    const all = new Promise<void>((resolve) => {
      void reader.follow((bytes, offset, length) => {
        const expected = patternRecord(next++);
        if (length !== expected.length || expected.some((byte, i) => bytes[offset + i] !== byte)) wrong++;
        if (next === records) resolve();
      });
    });
    const ended = once(thread, 'exit');
    await Promise.all([all, ended]);
    reader.stop();
    expect([next, wrong]).toEqual([records, 0]);
  });

  it('is followed until stop, and not after it', async () => {
    const memory = allocateRing(64);
    const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
    let taken = 0;
    const following = reader.follow(() => taken++);
    write(writer, Uint8Array.of(1));
    writer.ring();
    while (taken === 0) await new Promise((resolve) => setImmediate(resolve));
    reader.stop();
    await following;
    write(writer, Uint8Array.of(2));
    writer.ring();
    expect(taken).toBe(1);
  });
});
