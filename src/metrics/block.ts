import { HISTOGRAM_BOUNDS, SLOTS } from './counters.ts';

/** Two cache lines: blocks side by side in one buffer do not slow each other's writers. */
const ALIGNMENT_BYTES = 128;
const LARGEST_BOUND_MICROSECONDS = 2 ** (HISTOGRAM_BOUNDS - 1);

/** Bytes that a block takes in a shared buffer; blocks may stand one after the other. */
export function blockBytes(): number {
  return Math.ceil((SLOTS * Float64Array.BYTES_PER_ELEMENT) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

/** What makes a block of another thread's readable here; can be posted. */
export interface BlockHandle {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
}

/**
 * The counters of one thread, in shared memory. One thread writes; the one that answers scrapes reads, without
 * locks: a slot is one aligned 8-byte word, and a scrape that misses the latest increment is as good as one a
 * moment earlier. Indexes come from counters.ts.
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

  /** Notes `count` events of `seconds` each (a batch shares one reading of the clock). */
  observe(histogram: number, seconds: number, count = 1): void {
    this.values[histogram + bucketOf(Math.ceil(seconds * 1e6))] += count;
    this.values[histogram + HISTOGRAM_BOUNDS + 1] += seconds * count;
  }

  /**
   * Notes `count` events that began at begin[0] and ended at end[0], in milliseconds of one clock. The times are
   * handed over in memory: as an argument, a number with a fraction is allocated at each call.
   */
  observeBetween(histogram: number, begin: Float64Array, end: Float64Array, count: number): void {
    const milliseconds = end[0] - begin[0];
    this.values[histogram + bucketOf(Math.ceil(milliseconds * 1e3))] += count;
    this.values[histogram + HISTOGRAM_BOUNDS + 1] += (milliseconds / 1000) * count;
  }
}

/** Which bucket a whole number of microseconds falls into. */
function bucketOf(microseconds: number): number {
  if (microseconds > LARGEST_BOUND_MICROSECONDS) return HISTOGRAM_BOUNDS;
  return microseconds > 1 ? 32 - Math.clz32(microseconds - 1) : 0;
}
