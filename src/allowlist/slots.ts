/**
 * The slots of a hash table in shared memory: open addressing, linear probing, written by one thread and read
 * by all. A slot is empty, then taken by one key, then a tombstone, and never anything else: a reader that has
 * matched a key may read the profile of the slot later and still gets one of that key, or 0.
 *
 * Slots stand in pairs: two keys, then their two profiles in one word. So key and profile mostly handle a cache
 * line, and every word is aligned. A key is given as four 32-bit words; slots of shorter keys ignore the rest.
 */
export interface Slots {
  /** How many there are: an even number. */
  readonly capacity: number;
  /** Whether the key can be held: two are set aside to mark empty slots and tombstones. */
  holds(w0: number): boolean;
  /** The slot of the key, or -1. */
  slotOf(w0: number, w1: number, w2: number, w3: number): number;
  /** The slot of the key, or the empty one where it belongs. */
  claim(w0: number, w1: number, w2: number, w3: number): number;
  /** Reads what a claim will read first, so that many can be fetched at once; the result means nothing. */
  touch(w0: number, w1: number, w2: number, w3: number): number;
  isEmpty(slot: number): boolean;
  profileAt(slot: number): number;
  /** Gives a taken slot another profile: one store, so that readers see the old or the new. */
  setProfile(slot: number, profile: number): void;
  /** Fills an empty slot; readers find it complete or not at all. */
  publish(slot: number, w0: number, w1: number, w2: number, w3: number, profile: number): void;
  /** Makes a tombstone of a taken slot; nothing of the key stays in memory. */
  bury(slot: number): void;
  /** Copies all taken slots into an empty table with room for them; returns how many there were. */
  copyTo(target: Slots): number;
  /** Writes the keys (in network order, as a snapshot's group has them) and the profile ids of all taken slots. */
  pack(keys: Uint8Array, profiles: Uint16Array): void;
  /** Adds how many taken slots each profile has to `counts`, which is indexed by profile id. */
  countProfiles(counts: Uint32Array): void;
}

const HASH_RANGE = 2 ** 32;

/** 32-bit words of a pair of slots. */
export function pairWords(keyWords: 1 | 2 | 4): number {
  return 2 * keyWords + 1;
}

/** What a 32-bit hash is multiplied by to give a slot; the capacity need be no power of two. */
export function slotsPerHash(capacity: number): number {
  return capacity / HASH_RANGE;
}

/**
 * The slot where probing begins. Slots keep the order of hashes, so that a rebuild reads and writes memory from
 * front to back.
 */
export function firstSlot(hash: number, perHash: number): number {
  return ((hash >>> 0) * perHash) | 0;
}
