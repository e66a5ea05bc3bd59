import { HISTOGRAM_BOUNDS, SLOTS } from './counters.ts';

/**
 * Two cache lines, so that adjacent blocks in one buffer do not slow each other's writers (false sharing).
 */
const ALIGNMENT_BYTES = 128;
const LARGEST_BOUND_MICROSECONDS = 2 ** (HISTOGRAM_BOUNDS - 1);

/** Size of a block in a shared buffer; blocks may be adjacent. */
export function blockBytes(): number {
  return Math.ceil((SLOTS * Float64Array.BYTES_PER_ELEMENT) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

/** Handle of another thread's block; can be posted. */
export interface BlockHandle {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
}

/**
 * Counters of one thread in shared memory. One thread writes, and a scrape reads without locks: a slot is an
 * aligned 8-byte word, and missing the latest increment is harmless. Indexes come from counters.ts.
 */
export class CounterBlock {
  readonly values: Float64Array;

  constructor(share?: BlockHandle) {
    this.values = new Float64Array(
      share?.buffer ?? new SharedArrayBuffer(blockBytes()),
      share?.byteOffset,
      SLOTS,
    );
  }

  get share(): BlockHandle {
    return { buffer: this.values.buffer as SharedArrayBuffer, byteOffset: this.values.byteOffset };
  }

  increment(index: number): void {
    this.values[index]++;
  }

  add(index: number, n: number): void {
    this.values[index] += n;
  }

  /** Counts `count` events of `seconds` each; a batch shares one clock reading. */
  observe(histogram: number, seconds: number, count = 1): void {
    this.values[histogram + bucketOf(Math.ceil(seconds * 1e6))] += count;
    this.values[histogram + HISTOGRAM_BOUNDS + 1] += seconds * count;
  }

  /**
   * Counts `count` events that began at begin[0] and ended at end[0], in ms of one clock. The times are passed
   * in memory because a fractional number as an argument is allocated at each call.
   */
  observeBetween(histogram: number, begin: Float64Array, end: Float64Array, count: number): void {
    const milliseconds = end[0] - begin[0];
    this.values[histogram + bucketOf(Math.ceil(milliseconds * 1e3))] += count;
    this.values[histogram + HISTOGRAM_BOUNDS + 1] += (milliseconds / 1000) * count;
  }
}

/** Bucket index for a whole number of microseconds. */
function bucketOf(microseconds: number): number {
  if (microseconds > LARGEST_BOUND_MICROSECONDS) return HISTOGRAM_BOUNDS;
  return microseconds > 1 ? 32 - Math.clz32(microseconds - 1) : 0;
}
