import type { Source } from '../../net/index.ts';

/** Limits of RFC 7766 6.2.2 and 6.2.3, against clients that only hold connections. */
export interface StreamLimits {
  /** Open connections in all. */
  connections: number;
  /** Open connections of one source: an IPv4 address or IPv6 /64. */
  connectionsPerSource: number;
  /** A connection without a query for this long is closed. */
  idleSeconds: number;
  /** A connection is closed when it has asked this many. */
  queriesPerConnection: number;
}

/** Cells of sources; those that fall into one share its number, and the seed keeps anyone from choosing with whom. */
const CELLS = 32_768;
const TOTAL = CELLS;

/** Counts the open connections of one transport, across threads, in shared memory. */
export class ConnectionBudget {
  private readonly counts: Int32Array;
  private readonly limits: StreamLimits;
  private readonly seed: number;

  constructor(memory: SharedArrayBuffer, limits: StreamLimits, seed: number) {
    this.counts = new Int32Array(memory);
    this.limits = limits;
    this.seed = seed;
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer((CELLS + 1) * Int32Array.BYTES_PER_ELEMENT);
  }

  /** Counts a connection of the source. @returns false where it would be one too many; it is not counted then. */
  take(source: Source): boolean {
    const { counts, limits } = this;
    const cell = this.cellOf(source);
    const inAll = Atomics.add(counts, TOTAL, 1);
    const ofSource = Atomics.add(counts, cell, 1);
    if (inAll < limits.connections && ofSource < limits.connectionsPerSource) return true;
    this.release(source);
    return false;
  }

  release(source: Source): void {
    Atomics.sub(this.counts, TOTAL, 1);
    Atomics.sub(this.counts, this.cellOf(source), 1);
  }

  private cellOf({ family, words }: Source): number {
    const second = family === 4 ? 0x34 : words[1];
    let h = Math.imul(words[0] ^ this.seed, 0x85ebca6b) ^ second;
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
    return (h ^ (h >>> 15)) & (CELLS - 1);
  }
}
