import { mixWord } from './hash.ts';
import type { SlotsShare } from './share.ts';
import { firstSlot, HASH_RANGE, type Slots } from './slots.ts';

/*
 * The first word of a key is kept inverted, so that the two values set aside mean ffff:ffff:... and
 * ffff:fffe:..., multicast, and not ::/32, in which the loopback address lies.
 */
const EMPTY = 0;
const TOMBSTONE = 1;

/** Slots of two-word keys (IPv6 to /64; ten bytes each) or four-word keys. The first word publishes: it is stored last. */
export class WideSlots implements Slots {
  readonly capacity: number;
  readonly profiles: Uint16Array;
  readonly #keys: Int32Array;
  readonly #words: number;
  readonly #seed: number;
  readonly #slotsPerHash: number;
  readonly #masks: Int32Array;

  constructor(share: SlotsShare, seed: number) {
    const words = share.keyWords * share.capacity;
    this.capacity = share.capacity;
    this.#words = share.keyWords;
    this.#keys = new Int32Array(share.memory, 0, words);
    this.profiles = new Uint16Array(share.memory, 4 * words, share.capacity);
    this.#seed = seed;
    this.#slotsPerHash = share.capacity / HASH_RANGE;
    this.#masks = masksOf(share.length);
  }

  /** The profile of a whole address's prefix; 0 if it is not held. Any thread may call it at any time. */
  lookup(w0: number, w1: number, w2: number, w3: number): number {
    const masks = this.#masks;
    const k0 = w0 & masks[0];
    const k1 = w1 & masks[1];
    const k2 = w2 & masks[2];
    const k3 = w3 & masks[3];
    if (!this.holds(k0)) return 0;
    for (;;) {
      const slot = this.slotOf(k0, k1, k2, k3);
      if (slot < 0) return 0;
      if (this.#isStill(slot, k0, k1, k2, k3)) return this.profiles[slot];
    }
  }

  holds(w0: number): boolean {
    return (~w0 & ~1) !== 0;
  }

  slotOf(w0: number, w1: number, w2: number, w3: number): number {
    const slot = this.claim(w0, w1, w2, w3);
    return this.#keys[slot * this.#words] === EMPTY ? -1 : slot;
  }

  claim(w0: number, w1: number, w2: number, w3: number): number {
    const keys = this.#keys;
    const words = this.#words;
    const first = ~w0;
    const second = w1 | 0;
    let slot = firstSlot(this.#hash(w0, w1, w2, w3), this.#slotsPerHash);
    for (;;) {
      const at = slot * words;
      const found = keys[at];
      if (found === EMPTY) return slot;
      if (found === first && keys[at + 1] === second) {
        if (words === 2 || (keys[at + 2] === (w2 | 0) && keys[at + 3] === (w3 | 0))) return slot;
      }
      slot += 1;
      if (slot === this.capacity) slot = 0;
    }
  }

  isEmpty(slot: number): boolean {
    return this.#keys[slot * this.#words] === EMPTY;
  }

  publish(slot: number, w0: number, w1: number, w2: number, w3: number, profile: number): void {
    const keys = this.#keys;
    const at = slot * this.#words;
    this.profiles[slot] = profile;
    keys[at + 1] = w1;
    if (this.#words === 4) {
      keys[at + 2] = w2;
      keys[at + 3] = w3;
    }
    Atomics.store(keys, at, ~w0);
  }

  bury(slot: number): void {
    const keys = this.#keys;
    const at = slot * this.#words;
    Atomics.store(this.profiles, slot, 0);
    Atomics.store(keys, at, TOMBSTONE);
    for (let word = 1; word < this.#words; word++) Atomics.store(keys, at + word, 0);
  }

  copyTo(target: Slots): number {
    const keys = this.#keys;
    const isLong = this.#words === 4;
    let copied = 0;
    for (let slot = 0; slot < this.capacity; slot++) {
      const at = slot * this.#words;
      if (keys[at] === EMPTY || keys[at] === TOMBSTONE) continue;
      const w0 = ~keys[at];
      const w1 = keys[at + 1];
      const w2 = isLong ? keys[at + 2] : 0;
      const w3 = isLong ? keys[at + 3] : 0;
      target.publish(target.claim(w0, w1, w2, w3), w0, w1, w2, w3, this.profiles[slot]);
      copied += 1;
    }
    return copied;
  }

  #hash(w0: number, w1: number, w2: number, w3: number): number {
    const hash = mixWord(mixWord(this.#seed, w0), w1);
    return this.#words === 2 ? hash : mixWord(mixWord(hash, w2), w3);
  }

  /**
   * Compares once more, in the order opposite to the writer's: a processor with loose memory order may have given
   * the probe the new first word with the other words or the profile as they stood before it.
   */
  #isStill(slot: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const keys = this.#keys;
    const at = slot * this.#words;
    if (Atomics.load(keys, at) !== ~w0 || Atomics.load(keys, at + 1) !== (w1 | 0)) return false;
    if (this.#words === 2) return true;
    return Atomics.load(keys, at + 2) === (w2 | 0) && Atomics.load(keys, at + 3) === (w3 | 0);
  }
}

function masksOf(length: number): Int32Array {
  const masks = new Int32Array(4);
  for (let word = 0; word < 4; word++) {
    const bits = Math.min(32, Math.max(0, length - 32 * word));
    masks[word] = bits === 0 ? 0 : -1 << (32 - bits);
  }
  return masks;
}
