import { Memory } from '../../sys/index.ts';

/** Fits a typical ClientHello with a post-quantum key share. */
const PRELUDE_BYTES = 2048;
const MAX_SPARE = 256;

/**
 * A thread's pool of buffers for preludes. They are received into and sent from directly, and returned once the origin
 * is connected.
 */
export class Preludes {
  private readonly spare: Memory[] = [];

  /** Returns a buffer of at least `bytes` bytes. */
  take(bytes = PRELUDE_BYTES): Memory {
    if (bytes > PRELUDE_BYTES) return new Memory(bytes);
    return this.spare.pop() ?? new Memory(PRELUDE_BYTES);
  }

  /** Takes back a buffer that nothing refers to. */
  give(prelude: Memory): void {
    if (prelude.bytes.length === PRELUDE_BYTES && this.spare.length < MAX_SPARE) this.spare.push(prelude);
  }
}
