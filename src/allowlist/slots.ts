/**
 * The slots of a hash table in shared memory: open addressing, linear probing, written by one thread and read
 * by all. A slot is empty, then taken by one key, then a tombstone, and never anything else: a reader that has
 * matched a key may read the profile of the slot later and still gets one of that key, or 0.
 *
 * A key is given as four 32-bit words; slots of shorter keys ignore the rest.
 */
export interface Slots {
  readonly capacity: number;
  readonly profiles: Uint16Array;
  /** Whether the key can be held: two are set aside to mark empty slots and tombstones. */
  holds(w0: number): boolean;
  /** The slot of the key, or -1. */
  slotOf(w0: number, w1: number, w2: number, w3: number): number;
  /** The slot of the key, or the empty one where it belongs. */
  claim(w0: number, w1: number, w2: number, w3: number): number;
  isEmpty(slot: number): boolean;
  /** Fills an empty slot; readers find it complete or not at all. */
  publish(slot: number, w0: number, w1: number, w2: number, w3: number, profile: number): void;
  /** Makes a tombstone of a taken slot; nothing of the key stays in memory. */
  bury(slot: number): void;
  /** Copies all taken slots into an empty table with room for them; returns how many there were. */
  copyTo(target: Slots): number;
}

/**
 * The slot where probing begins: a 32-bit hash scaled down to the capacity, which need be no power of two. It
 * keeps the order of hashes, so that a rebuild reads and writes memory from front to back.
 */
export function firstSlot(hash: number, slotsPerHash: number): number {
  return ((hash >>> 0) * slotsPerHash) | 0;
}

export const HASH_RANGE = 2 ** 32;
