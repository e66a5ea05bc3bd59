import type { Source } from '../net/index.ts';

/** Limits of one source: an IPv4 address or IPv6 /64. */
export interface SourceLimitOptions {
  /** Open connections of the whole relay. */
  readonly connections: number;
  /** Open connections of all sources that are not registered: edges that probe, and those whose PROXY header is awaited. */
  readonly strangerConnections: number;
  readonly connectionsPerSource: number;
  /** New connections a second, and the burst allowed at once. */
  readonly newPerSecond: number;
  readonly newBurst: number;
  /** Bytes a second, both directions together; null: unlimited. */
  readonly bytesPerSecond: number | null;
}

const CELLS = 65_536;
const ROWS = 2;
/** Cells of `open` behind the rows: all connections, and those of strangers. */
const ALL = CELLS * ROWS;
const STRANGERS = ALL + 1;
/**
 * Part of the free connections that one source may hold once half of them are taken (dynamic threshold, Choudhury and Hahne
 * 1998): each source's share shrinks as the relay fills. Of 10,000 connections, 20 sources that take all they can, one
 * after the other, leave 2,600.
 */
const FREE_SHARE = 1 / 16;
/** Part of the strangers' pool that one unregistered source may hold. */
const GUEST_SHARE = 1 / 8;
/** Bytes of this much time may pass in one burst. */
const BYTES_BURST_MS = 250;

/** Shared memory of the limits; can be posted. */
export interface SourceLimitMemory {
  readonly open: SharedArrayBuffer;
  readonly newEmptyAtMs: SharedArrayBuffer;
  readonly bytesEmptyAtMs: SharedArrayBuffer;
}

export function allocateSourceLimits(): SourceLimitMemory {
  return {
    open: new SharedArrayBuffer((STRANGERS + 1) * Int32Array.BYTES_PER_ELEMENT),
    newEmptyAtMs: new SharedArrayBuffer(CELLS * Float64Array.BYTES_PER_ELEMENT),
    bytesEmptyAtMs: new SharedArrayBuffer(CELLS * Float64Array.BYTES_PER_ELEMENT),
  };
}

/**
 * Enforces limits per source across threads without storing addresses. A keyed hash of the source selects a
 * counter in each of two rows (count-min sketch); the smaller of the two bounds its open connections from
 * above. Rates are token buckets (GCRA, ITU-T I.371) written without locks: a lost update admits one too many.
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

  /** Hash of a source, to pass to the other methods. */
  hashOf({ family, words }: Source): number {
    const hash = family === 4 ? mix(words[0] ^ this.seed) : mix(mix(words[0] ^ this.seed) ^ words[1] ^ 6);
    return hash >>> 0;
  }

  /**
   * Counts a new connection.
   * @param isGuest the source is not registered and may only reach own names
   * @returns false if the source has too many or opens them too fast, or the relay is full
   */
  enter(hash: number, nowMs: number, isGuest = false): boolean {
    const { newPerSecond, newBurst } = this.options;
    const intervalMs = 1000 / newPerSecond;
    const cell = hash & (CELLS - 1);
    const emptyAtMs = Math.max(this.newEmptyAtMs[cell], nowMs);
    if (emptyAtMs - nowMs > intervalMs * (newBurst - 1)) return false;
    this.newEmptyAtMs[cell] = emptyAtMs + intervalMs;
    const all = Atomics.add(this.open, ALL, 1);
    const first = Atomics.add(this.open, cell, 1);
    const second = Atomics.add(this.open, secondCell(hash), 1);
    const share = isGuest ? this.guestShare : this.shareAt(all);
    if (Math.min(first, second) < share) return true;
    this.leave(hash);
    return false;
  }

  leave(hash: number): void {
    Atomics.sub(this.open, ALL, 1);
    Atomics.sub(this.open, hash & (CELLS - 1), 1);
    Atomics.sub(this.open, secondCell(hash), 1);
  }

  /** Counts a connection that is not of a registered source. @returns false if their pool is full */
  enterStranger(): boolean {
    if (Atomics.add(this.open, STRANGERS, 1) < this.options.strangerConnections) return true;
    this.leaveStranger();
    return false;
  }

  leaveStranger(): void {
    Atomics.sub(this.open, STRANGERS, 1);
  }

  private get guestShare(): number {
    return Math.max(1, Math.ceil(this.options.strangerConnections * GUEST_SHARE));
  }

  /** Connections that one source may hold while `all` are open; the engines enforce the total. */
  private shareAt(all: number): number {
    const { connections, connectionsPerSource } = this.options;
    if (all < connections / 2) return connectionsPerSource;
    return Math.min(connectionsPerSource, Math.max(1, Math.ceil((connections - all) * FREE_SHARE)));
  }

  /** Counts carried bytes. @returns milliseconds that the source must wait */
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

/** Finalizer of MurmurHash3. */
function mix(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
