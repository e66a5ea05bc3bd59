import { Memory } from '../../sys/index.ts';

/** Size of one receive, and the most that waits here for a slow reader in one direction. */
export const SLAB_BYTES = 128 * 1024;
const MAX_SPARE = 32;

/**
 * Buffers that bytes pass through. All tunnels of a thread share one slab; a tunnel keeps it only while its
 * reader is behind, and the thread goes on with another.
 */
export class Slabs {
  current = new Memory(SLAB_BYTES);
  private readonly spare: Memory[] = [];

  /** Gives the current slab and its content to the caller. */
  take(): Memory {
    const taken = this.current;
    this.current = this.spare.pop() ?? new Memory(SLAB_BYTES);
    return taken;
  }

  give(slab: Memory): void {
    if (this.spare.length < MAX_SPARE) this.spare.push(slab);
  }
}
