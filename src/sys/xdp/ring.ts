import { requireLibc } from '../libc.ts';
import type { XdpRingHandle } from './socket.ts';

const NEED_WAKEUP = 1;

/**
 * A ring between this thread and the kernel. One side produces and the other consumes; each of the two counters runs
 * over at 2^32 and is written by one side. Entries are words; counters are kept as 31-bit integers with a sign, which
 * V8 does not box.
 */
export class XdpRing {
  /** The bytes of the ring as words: descriptors begin at `descriptors`. */
  readonly words: Int32Array;
  readonly descriptors: number;
  readonly mask: number;
  /** This side's own counter; published by `publish`. */
  own: number;
  private readonly entries: number;
  private readonly ownWord: number;
  private readonly othersWord: number;
  private readonly flagsWord: number;

  /** @param side of this thread */
  constructor(handle: XdpRingHandle, side: 'producer' | 'consumer') {
    this.words = new Int32Array(requireLibc().bufferAt(handle.address, handle.bytes & ~3));
    this.descriptors = handle.descriptors >> 2;
    this.entries = handle.entries;
    this.mask = handle.entries - 1;
    this.ownWord = handle[side] >> 2;
    this.othersWord = handle[side === 'producer' ? 'consumer' : 'producer'] >> 2;
    this.flagsWord = handle.flags >> 2;
    this.own = Atomics.load(this.words, this.ownWord);
  }

  /** For a consumer: entries that wait. */
  filled(): number {
    return (Atomics.load(this.words, this.othersWord) - this.own) | 0;
  }

  /** For a producer: entries that the kernel has not taken yet. */
  pending(): number {
    return (this.own - Atomics.load(this.words, this.othersWord)) | 0;
  }

  /** For a producer: entries that there is room for. */
  room(): number {
    return this.entries - this.pending();
  }

  /** Lets the kernel see what was produced, or have back what was consumed. */
  publish(): void {
    Atomics.store(this.words, this.ownWord, this.own);
  }

  /** Whether the kernel sleeps until a system call. */
  needsWakeup(): boolean {
    return (Atomics.load(this.words, this.flagsWord) & NEED_WAKEUP) !== 0;
  }
}
