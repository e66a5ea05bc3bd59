import { requireLibc } from '../libc.ts';
import type { XdpRingHandle } from './socket.ts';

const NEED_WAKEUP = 1;

/**
 * A ring between this thread and the kernel: one side produces, the other consumes. Each counter is written by one side and
 * wraps at 2^32. Entries are words. Counters are kept as small signed integers, which V8 does not box.
 */
export class XdpRing {
  /** The ring's memory as words; descriptors start at index `descriptors`. */
  readonly words: Int32Array;
  readonly descriptors: number;
  readonly mask: number;
  /** This side's counter; the kernel sees it after `publish`. */
  own: number;
  private readonly entries: number;
  private readonly ownWord: number;
  private readonly othersWord: number;
  private readonly flagsWord: number;

  /** @param side this thread's side */
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

  /** Consumer: number of entries to read. */
  filled(): number {
    return (Atomics.load(this.words, this.othersWord) - this.own) | 0;
  }

  /** Producer: number of entries that the kernel has not consumed yet. */
  pending(): number {
    return (this.own - Atomics.load(this.words, this.othersWord)) | 0;
  }

  /** Producer: number of free entries. */
  room(): number {
    return this.entries - this.pending();
  }

  /** Publishes produced entries to the kernel, or returns consumed ones. */
  publish(): void {
    Atomics.store(this.words, this.ownWord, this.own);
  }

  /** True if the kernel sleeps until a system call wakes it. */
  needsWakeup(): boolean {
    return (Atomics.load(this.words, this.flagsWord) & NEED_WAKEUP) !== 0;
  }
}
