import { AdaptivePolling, excludeFromDumps } from '../sys/index.ts';

/**
 * A ring of records in shared memory: one thread writes, one reads. A UDP worker hands the queries that it
 * cannot answer to the resolver's thread through it.
 *
 *   words: [0] written, [1] read: bytes since the start, modulo 2^32   [2] rung: changes when something was written
 *   then the bytes: a record is a length word, then its bytes, padded to a word. A length of SKIP means
 *   that the rest up to the end of the ring is unused.
 */
const WRITTEN = 0;
const READ = 1;
const RUNG = 2;
const HEADER_BYTES = 64;
const SKIP = 0xffffffff;
const WORD = 4;

const padded = (bytes: number): number => WORD + ((bytes + 3) & ~3);

abstract class RingEnd {
  protected readonly state: Int32Array;
  protected readonly words: Uint32Array;
  /** The ring's bytes. */
  readonly bytes: Uint8Array;
  protected readonly capacity: number;

  constructor(memory: SharedArrayBuffer) {
    this.state = new Int32Array(memory, 0, HEADER_BYTES / WORD);
    this.bytes = new Uint8Array(memory, HEADER_BYTES);
    this.words = new Uint32Array(memory, HEADER_BYTES);
    this.capacity = this.bytes.length;
  }
}

/** Shared memory for a ring. @param capacity bytes, a power of two */
export function allocateRing(capacity: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(HEADER_BYTES + capacity);
  excludeFromDumps(memory);
  return memory;
}

export class RingWriter extends RingEnd {
  /**
   * Makes room for a record of `length` bytes.
   * @returns index in `bytes` to write it at before commit, or -1 if the ring is full
   */
  reserve(length: number): number {
    const needed = padded(length);
    const written = this.state[WRITTEN] >>> 0;
    const free = this.capacity - ((written - (Atomics.load(this.state, READ) >>> 0)) >>> 0);
    const at = written % this.capacity;
    const toEnd = this.capacity - at;
    if (needed <= toEnd) {
      if (needed > free) return -1;
      this.words[at / WORD] = length;
      return at + WORD;
    }
    if (needed + toEnd > free) return -1;
    this.words[at / WORD] = SKIP;
    Atomics.store(this.state, WRITTEN, (written + toEnd) | 0);
    this.words[0] = length;
    return WORD;
  }

  /** True if the reader lags, so that prefetches should wait. */
  get isHalfFull(): boolean {
    const unread = ((this.state[WRITTEN] >>> 0) - (Atomics.load(this.state, READ) >>> 0)) >>> 0;
    return unread > this.capacity / 2;
  }

  /** Publishes the record that was reserved last. */
  commit(length: number): void {
    Atomics.store(this.state, WRITTEN, (this.state[WRITTEN] + padded(length)) | 0);
  }

  /** Wakes the reader. Once a batch, because it takes a lock. */
  ring(): void {
    Atomics.add(this.state, RUNG, 1);
    Atomics.notify(this.state, RUNG);
  }
}

export class RingReader extends RingEnd {
  private readonly polling = new AdaptivePolling();
  private stopped = false;

  /**
   * Calls `take` for each record, with its offset in `bytes`; the bytes are valid during the call.
   * @returns number of records
   */
  drain(take: (bytes: Uint8Array, offset: number, length: number) => void): number {
    for (let taken = 0; ; ) {
      const read = this.state[READ] >>> 0;
      if (read === Atomics.load(this.state, WRITTEN) >>> 0) return taken;
      const at = read % this.capacity;
      const length = this.words[at / WORD];
      if (length === SKIP) {
        Atomics.store(this.state, READ, (read + this.capacity - at) | 0);
        continue;
      }
      take(this.bytes, at + WORD, length);
      // Names and addresses must not stay in memory once they have served.
      this.bytes.fill(0, at, at + padded(length));
      taken++;
      Atomics.store(this.state, READ, (read + padded(length)) | 0);
    }
  }

  /** Drains whenever the writer rings, until stop. Keeps no event loop alive. */
  async follow(take: (bytes: Uint8Array, offset: number, length: number) => void): Promise<void> {
    while (!this.stopped) {
      let rung = Atomics.load(this.state, RUNG);
      while (this.polling.shouldPoll(performance.now(), this.drain(take)) && !this.stopped) {
        await this.polling.pause();
        rung = Atomics.load(this.state, RUNG);
      }
      // stop may have been called during the pause; nobody rings after it.
      if (this.stopped) return;
      const waiting = Atomics.waitAsync(this.state, RUNG, rung);
      if (waiting.async) await waiting.value;
    }
  }

  stop(): void {
    this.stopped = true;
    Atomics.add(this.state, RUNG, 1);
    Atomics.notify(this.state, RUNG);
  }
}
