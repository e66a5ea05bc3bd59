/**
 * Slots of a hash table in shared memory: open addressing, linear probing, one writer, many readers. A slot
 * goes from empty to one key to tombstone, and never back: a reader that matched a key may read the slot's
 * profile later and still gets one of that key, or 0.
 *
 * Slots are stored in pairs: two keys, then their two profiles in one word. Key and profile mostly share a
 * cache line, and every word is aligned. A key is passed as four 32-bit words; slots of shorter keys ignore
 * the rest.
 */
export interface Slots {
  /** Number of slots, even. */
  readonly capacity: number;
  /** False for the two keys that mark empty slots and tombstones. */
  holds(w0: number): boolean;
  /** The slot of the key, or -1. */
  slotOf(w0: number, w1: number, w2: number, w3: number): number;
  /** The slot of the key, or the empty slot where it belongs. */
  claim(w0: number, w1: number, w2: number, w3: number): number;
  /** Reads the memory that a claim reads first, as a prefetch; the result has no meaning. */
  touch(w0: number, w1: number, w2: number, w3: number): number;
  isEmpty(slot: number): boolean;
  profileAt(slot: number): number;
  /** Changes the profile of a taken slot in one store: readers see the old or the new one. */
  setProfile(slot: number, profile: number): void;
  /** Fills an empty slot; readers find it complete or not at all. */
  publish(slot: number, w0: number, w1: number, w2: number, w3: number, profile: number): void;
  /** Turns a taken slot into a tombstone; nothing of the key stays in memory. */
  bury(slot: number): void;
  /** Copies all taken slots into an empty table with room for them. @returns their number */
  copyTo(target: Slots): number;
  /** Writes keys (network order, as in a snapshot's group) and profile ids of all taken slots. */
  pack(keys: Uint8Array, profiles: Uint16Array): void;
  /** Adds the number of taken slots of each profile to `counts`, indexed by profile id. */
  countProfiles(counts: Uint32Array): void;
}

const HASH_RANGE = 2 ** 32;

/** 32-bit words of a pair of slots. */
export function pairWords(keyWords: 1 | 2 | 4): number {
  return 2 * keyWords + 1;
}

/** Factor from a 32-bit hash to a slot, so that the capacity need not be a power of two. */
export function slotsPerHash(capacity: number): number {
  return capacity / HASH_RANGE;
}

/**
 * The slot where probing begins. Slots keep the order of hashes, so a rebuild reads and writes memory
 * sequentially.
 */
export function firstSlot(hash: number, perHash: number): number {
  return ((hash >>> 0) * perHash) | 0;
}
