import { mixWord } from './hash.ts';
import type { SlotsShare } from './share.ts';
import { firstSlot, HASH_RANGE, type Slots } from './slots.ts';

/** 0.0.0.0 and 255.255.255.255 are nobody's source address (RFC 1122, 3.2.1.3). */
const EMPTY = 0;
const TOMBSTONE = -1;

/** Slots of one-word keys: IPv4. Six bytes each. The key is the word that publishes: it is stored last. */
export class NarrowSlots implements Slots {
  readonly capacity: number;
  readonly profiles: Uint16Array;
  readonly #keys: Int32Array;
  readonly #seed: number;
  readonly #slotsPerHash: number;
  readonly #mask: number;

  constructor(share: SlotsShare, seed: number) {
    this.capacity = share.capacity;
    this.#keys = new Int32Array(share.memory, 0, share.capacity);
    this.profiles = new Uint16Array(share.memory, 4 * share.capacity, share.capacity);
    this.#seed = seed;
    this.#slotsPerHash = share.capacity / HASH_RANGE;
    this.#mask = share.length === 32 ? -1 : ~(-1 >>> share.length);
  }

  /** The profile of a whole address's prefix; 0 if it is not held. Any thread may call it at any time. */
  lookup(address: number): number {
    const key = address & this.#mask;
    if (key === EMPTY || key === TOMBSTONE) return 0;
    const slot = this.#find(key);
    return slot < 0 ? 0 : this.profiles[slot];
  }

  holds(w0: number): boolean {
    return (w0 | 0) !== EMPTY && (w0 | 0) !== TOMBSTONE;
  }

  slotOf(w0: number): number {
    return this.#find(w0 | 0);
  }

  claim(w0: number): number {
    const keys = this.#keys;
    const key = w0 | 0;
    let slot = firstSlot(mixWord(this.#seed, key), this.#slotsPerHash);
    while (keys[slot] !== key && keys[slot] !== EMPTY) slot = slot + 1 === this.capacity ? 0 : slot + 1;
    return slot;
  }

  isEmpty(slot: number): boolean {
    return this.#keys[slot] === EMPTY;
  }

  publish(slot: number, w0: number, _w1: number, _w2: number, _w3: number, profile: number): void {
    this.profiles[slot] = profile;
    Atomics.store(this.#keys, slot, w0 | 0);
  }

  bury(slot: number): void {
    Atomics.store(this.profiles, slot, 0);
    Atomics.store(this.#keys, slot, TOMBSTONE);
  }

  copyTo(target: Slots): number {
    const keys = this.#keys;
    let copied = 0;
    for (let slot = 0; slot < this.capacity; slot++) {
      const key = keys[slot];
      if (key === EMPTY || key === TOMBSTONE) continue;
      target.publish(target.claim(key, 0, 0, 0), key, 0, 0, 0, this.profiles[slot]);
      copied += 1;
    }
    return copied;
  }

  #find(key: number): number {
    const keys = this.#keys;
    const capacity = this.capacity;
    let slot = firstSlot(mixWord(this.#seed, key), this.#slotsPerHash);
    for (;;) {
      const found = keys[slot];
      if (found === key) return slot;
      if (found === EMPTY) return -1;
      slot += 1;
      if (slot === capacity) slot = 0;
    }
  }
}
