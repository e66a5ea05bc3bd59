import type { Source } from '../net/index.ts';

/** What one source, an IPv4 address or IPv6 /64, may take of a relay. */
export interface SourceLimitOptions {
  readonly connectionsPerSource: number;
  /** New connections a second on average, and at once. */
  readonly newPerSecond: number;
  readonly newBurst: number;
  /** Bytes a second in both directions together; null: as many as there are. */
  readonly bytesPerSecond: number | null;
}

const CELLS = 65_536;
const ROWS = 2;
/** How much of a second's bytes may pass at once. */
const BYTES_BURST_MS = 250;

/** Where limits are kept; can be posted. */
export interface SourceLimitMemory {
  readonly open: SharedArrayBuffer;
  readonly newEmptyAtMs: SharedArrayBuffer;
  readonly bytesEmptyAtMs: SharedArrayBuffer;
}

export function allocateSourceLimits(): SourceLimitMemory {
  return {
    open: new SharedArrayBuffer(CELLS * ROWS * Int32Array.BYTES_PER_ELEMENT),
    newEmptyAtMs: new SharedArrayBuffer(CELLS * Float64Array.BYTES_PER_ELEMENT),
    bytesEmptyAtMs: new SharedArrayBuffer(CELLS * Float64Array.BYTES_PER_ELEMENT),
  };
}

/**
 * Holds sources to their limits, over all threads and without keeping an address: a source is a hash in two rows of
 * counters (a count-min sketch), found by a keyed hash; what both rows say it has open, it has at the most. Rates
 * are generic cell rate limiters (ITU-T I.371), written without locks: a lost update lets one too many pass.
 */
export class SourceLimits {
  private readonly open: Int32Array;
  private readonly newEmptyAtMs: Float64Array;
  private readonly bytesEmptyAtMs: Float64Array;
  private readonly options: SourceLimitOptions;
  private readonly seed: number;

  constructor(memory: SourceLimitMemory, options: SourceLimitOptions, seed: number) {
    this.open = new Int32Array(memory.open);
    this.newEmptyAtMs = new Float64Array(memory.newEmptyAtMs);
    this.bytesEmptyAtMs = new Float64Array(memory.bytesEmptyAtMs);
    this.options = options;
    this.seed = seed;
  }

  get limitsBytes(): boolean {
    return this.options.bytesPerSecond !== null;
  }

  /** The source's hash, to be handed to the other calls. */
  hashOf({ family, words }: Source): number {
    const hash = family === 4 ? mix(words[0] ^ this.seed) : mix(mix(words[0] ^ this.seed) ^ words[1] ^ 6);
    return hash >>> 0;
  }

  /** Counts a connection in. @returns false where the source has too many, or opens them too fast. */
  enter(hash: number, nowMs: number): boolean {
    const { connectionsPerSource, newPerSecond, newBurst } = this.options;
    const intervalMs = 1000 / newPerSecond;
    const cell = hash & (CELLS - 1);
    const emptyAtMs = Math.max(this.newEmptyAtMs[cell], nowMs);
    if (emptyAtMs - nowMs > intervalMs * (newBurst - 1)) return false;
    this.newEmptyAtMs[cell] = emptyAtMs + intervalMs;
    const first = Atomics.add(this.open, cell, 1);
    const second = Atomics.add(this.open, secondCell(hash), 1);
    if (Math.min(first, second) < connectionsPerSource) return true;
    this.leave(hash);
    return false;
  }

  leave(hash: number): void {
    Atomics.sub(this.open, hash & (CELLS - 1), 1);
    Atomics.sub(this.open, secondCell(hash), 1);
  }

  /** Notes bytes that were carried. @returns for how many milliseconds the source must wait. */
  carried(hash: number, bytes: number, nowMs: number): number {
    const { bytesPerSecond } = this.options;
    if (bytesPerSecond === null) return 0;
    const cell = hash & (CELLS - 1);
    const emptyAtMs = Math.max(this.bytesEmptyAtMs[cell], nowMs) + (bytes * 1000) / bytesPerSecond;
    this.bytesEmptyAtMs[cell] = emptyAtMs;
    return Math.max(0, emptyAtMs - nowMs - BYTES_BURST_MS);
  }
}

function secondCell(hash: number): number {
  return CELLS + (mix(hash ^ 0x5bd1e995) & (CELLS - 1));
}

/** MurmurHash3's finaliser. */
function mix(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
