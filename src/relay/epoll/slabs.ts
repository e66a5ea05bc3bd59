import { Memory } from '../../sys/index.ts';

/** What one receive call takes, and the most that a slow reader has waiting here in one direction. */
export const SLAB_BYTES = 128 * 1024;
const MAX_SPARE = 32;

/**
 * The memory that bytes pass through. One slab serves all tunnels of a thread; a tunnel keeps it only while its
 * reader has not taken all, and the thread goes on with another.
 */
export class Slabs {
  current = new Memory(SLAB_BYTES);
  private readonly spare: Memory[] = [];

  /** Hands the current slab, with what is in it, to the caller. */
  take(): Memory {
    const taken = this.current;
    this.current = this.spare.pop() ?? new Memory(SLAB_BYTES);
    return taken;
  }

  give(slab: Memory): void {
    if (this.spare.length < MAX_SPARE) this.spare.push(slab);
  }
}
