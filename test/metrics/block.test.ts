import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { QueryVerdict } from '../../src/dns/verdict.ts';
import { HISTOGRAM_BOUNDS, HISTOGRAM_WIDTH, SLOTS } from '../../src/metrics/counters.ts';
import {
  blockBytes,
  Counter,
  CounterBlock,
  QueryPath,
  queryCounter,
  queryDuration,
  Transport,
} from '../../src/metrics/index.ts';

const FAST = queryDuration(QueryPath.FAST);
const LARGEST_BOUND_SECONDS = 2 ** (HISTOGRAM_BOUNDS - 1) / 1e6;

/** Bucket of a block's only observation. */
function bucketOf(seconds: number): number {
  const block = new CounterBlock();
  block.observe(FAST, seconds);
  return block.values.subarray(FAST, FAST + HISTOGRAM_WIDTH - 1).indexOf(1);
}

describe('CounterBlock', () => {
  it('starts at zero and counts', () => {
    const block = new CounterBlock();
    expect(block.values.every((value) => value === 0)).toBe(true);
    block.increment(Counter.DEFERRED);
    block.add(Counter.DEFERRED, 4);
    expect(block.values[Counter.DEFERRED]).toBe(5);
    expect(block.values.reduce((a, b) => a + b)).toBe(5);
  });

  it('shares a buffer with others, each on its own cache lines', () => {
    expect(blockBytes() % 128).toBe(0);
    expect(blockBytes()).toBeGreaterThanOrEqual(SLOTS * 8);
    const buffer = new SharedArrayBuffer(2 * blockBytes());
    const first = new CounterBlock({ buffer, byteOffset: 0 });
    const second = new CounterBlock({ buffer, byteOffset: blockBytes() });
    first.values.fill(1);
    expect(second.values.every((value) => value === 0)).toBe(true);
  });

  it('shows counts of another thread', async () => {
    const block = new CounterBlock();
    const index = queryCounter(Transport.UDP, QueryVerdict.STEERED);
    const face = new URL('../../src/metrics/index.ts', import.meta.url).href;
    const worker = new Worker(
      `const { workerData } = require('node:worker_threads');
       import(workerData.face).then(({ CounterBlock }) => {
         const block = new CounterBlock(workerData.share);
         for (let i = 0; i < 1000; i++) block.increment(workerData.index);
       });`,
      { eval: true, workerData: { share: block.share, index, face } },
    );
    const [exitCode] = await once(worker, 'exit');
    expect(exitCode).toBe(0);
    expect(block.values[index]).toBe(1000);
  });

  it('puts a duration into the smallest bucket that holds it (2^b microseconds)', () => {
    const seconds = fc.double({ min: 1e-7, max: LARGEST_BOUND_SECONDS, noNaN: true });
    fc.assert(
      fc.property(seconds, (duration) => {
        const bucket = bucketOf(duration);
        // A duration is rounded up to whole microseconds.
        const microseconds = Math.ceil(duration * 1e6);
        expect(microseconds).toBeLessThanOrEqual(2 ** bucket);
        if (bucket > 0) expect(microseconds).toBeGreaterThan(2 ** (bucket - 1));
      }),
    );
  });

  it.each([
    [0, 0],
    [-1e-3, 0],
    [1e-6, 0],
    [2e-6, 1],
    [3e-6, 2],
    [LARGEST_BOUND_SECONDS, HISTOGRAM_BOUNDS - 1],
    [LARGEST_BOUND_SECONDS + 1, HISTOGRAM_BOUNDS],
    [1e9, HISTOGRAM_BOUNDS],
  ])('puts %f seconds into bucket %i', (seconds, bucket) => {
    expect(bucketOf(seconds)).toBe(bucket);
  });

  it('counts a batch at once and touches no other histogram', () => {
    const block = new CounterBlock();
    block.observe(FAST, 0.000003, 64);
    expect(block.values[FAST + 2]).toBe(64);
    expect(block.values[FAST + HISTOGRAM_WIDTH - 1]).toBeCloseTo(64 * 0.000003, 12);
    expect(block.values.filter((value) => value !== 0)).toHaveLength(2);
  });
});
