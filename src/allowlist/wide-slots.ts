import type { SlotsHandle } from './handle.ts';
import { mixWord } from './hash.ts';
import { firstSlot, pairWords, type Slots, slotsPerHash } from './slots.ts';

/*
 * The first word of a key is stored inverted, so that the two reserved values stand for ffff:ffff:... and
 * ffff:fffe:... (multicast) rather than for ::/32, which holds the loopback address.
 */
const EMPTY = 0;
const TOMBSTONE = 1;

/**
 * Slots of two-word keys (IPv6 up to /64; ten bytes each) or four-word keys (18 bytes). The first word is
 * stored last, which publishes the slot.
 */
export class WideSlots implements Slots {
  readonly capacity: number;
  private readonly words: Int32Array;
  private readonly halves: Uint16Array;
  private readonly keyWords: number;
  private readonly pairWords: number;
  private readonly seed: number;
  private readonly perHash: number;
  private readonly masks: Int32Array;

  constructor(handle: SlotsHandle, seed: number) {
    this.capacity = handle.capacity;
    this.keyWords = handle.keyWords;
    this.pairWords = pairWords(handle.keyWords);
    const words = this.pairWords * (handle.capacity >> 1);
    this.words = new Int32Array(handle.memory, 0, words);
    this.halves = new Uint16Array(handle.memory, 0, 2 * words);
    this.seed = seed;
    this.perHash = slotsPerHash(handle.capacity);
    this.masks = masksOf(handle.length);
  }

  /** The profile of the prefix that holds an address; 0 if there is none. Safe in any thread at any time. */
  lookup(w0: number, w1: number, w2: number, w3: number): number {
    const masks = this.masks;
    const k0 = w0 & masks[0];
    const k1 = w1 & masks[1];
    const k2 = w2 & masks[2];
    const k3 = w3 & masks[3];
    if (!this.holds(k0)) return 0;
    for (;;) {
      const slot = this.slotOf(k0, k1, k2, k3);
      if (slot < 0) return 0;
      if (this.isStill(slot, k0, k1, k2, k3)) return this.halves[this.profileIndex(slot)];
    }
  }

  holds(w0: number): boolean {
    return (~w0 & ~1) !== 0;
  }

  slotOf(w0: number, w1: number, w2: number, w3: number): number {
    const slot = this.claim(w0, w1, w2, w3);
    return this.isEmpty(slot) ? -1 : slot;
  }

  claim(w0: number, w1: number, w2: number, w3: number): number {
    const words = this.words;
    const isShort = this.keyWords === 2;
    const first = ~w0;
    const second = w1 | 0;
    let slot = firstSlot(this.hash(w0, w1, w2, w3), this.perHash);
    for (;;) {
      const at = this.keyIndex(slot);
      const found = words[at];
      if (found === EMPTY) return slot;
      if (found === first && words[at + 1] === second) {
        if (isShort || (words[at + 2] === (w2 | 0) && words[at + 3] === (w3 | 0))) return slot;
      }
      slot += 1;
      if (slot === this.capacity) slot = 0;
    }
  }

  touch(w0: number, w1: number, w2: number, w3: number): number {
    return this.words[this.keyIndex(firstSlot(this.hash(w0, w1, w2, w3), this.perHash))];
  }

  isEmpty(slot: number): boolean {
    return this.words[this.keyIndex(slot)] === EMPTY;
  }

  profileAt(slot: number): number {
    return this.halves[this.profileIndex(slot)];
  }

  setProfile(slot: number, profile: number): void {
    Atomics.store(this.halves, this.profileIndex(slot), profile);
  }

  publish(slot: number, w0: number, w1: number, w2: number, w3: number, profile: number): void {
    const words = this.words;
    const at = this.keyIndex(slot);
    this.halves[this.profileIndex(slot)] = profile;
    words[at + 1] = w1;
    if (this.keyWords === 4) {
      words[at + 2] = w2;
      words[at + 3] = w3;
    }
    Atomics.store(words, at, ~w0);
  }

  bury(slot: number): void {
    const words = this.words;
    const at = this.keyIndex(slot);
    this.setProfile(slot, 0);
    Atomics.store(words, at, TOMBSTONE);
    for (let word = 1; word < this.keyWords; word++) Atomics.store(words, at + word, 0);
  }

  copyTo(target: Slots): number {
    const words = this.words;
    const isLong = this.keyWords === 4;
    let copied = 0;
    for (let slot = 0; slot < this.capacity; slot++) {
      const at = this.keyIndex(slot);
      if (words[at] === EMPTY || words[at] === TOMBSTONE) continue;
      const w0 = ~words[at];
      const w1 = words[at + 1];
      const w2 = isLong ? words[at + 2] : 0;
      const w3 = isLong ? words[at + 3] : 0;
      target.publish(target.claim(w0, w1, w2, w3), w0, w1, w2, w3, this.profileAt(slot));
      copied += 1;
    }
    return copied;
  }

  pack(keys: Uint8Array, profiles: Uint16Array): void {
    const words = this.words;
    const view = new DataView(keys.buffer, keys.byteOffset, keys.byteLength);
    const width = 4 * this.keyWords;
    let packed = 0;
    for (let slot = 0; slot < this.capacity; slot++) {
      const at = this.keyIndex(slot);
      if (words[at] === EMPTY || words[at] === TOMBSTONE) continue;
      view.setInt32(width * packed, ~words[at]);
      for (let word = 1; word < this.keyWords; word++) {
        view.setInt32(width * packed + 4 * word, words[at + word]);
      }
      profiles[packed++] = this.profileAt(slot);
    }
  }

  countProfiles(counts: Uint32Array): void {
    for (let slot = 0; slot < this.capacity; slot++) {
      if (this.holds(~this.words[this.keyIndex(slot)])) counts[this.profileAt(slot)] += 1;
    }
  }

  private hash(w0: number, w1: number, w2: number, w3: number): number {
    const hash = mixWord(mixWord(this.seed, w0), w1);
    return this.keyWords === 2 ? hash : mixWord(mixWord(hash, w2), w3);
  }

  private keyIndex(slot: number): number {
    return (slot >> 1) * this.pairWords + (slot & 1) * this.keyWords;
  }

  /** In 16-bit units. */
  private profileIndex(slot: number): number {
    return (slot >> 1) * (2 * this.pairWords) + 4 * this.keyWords + (slot & 1);
  }

  /**
   * Compares again, in the reverse of the writer's order: with weak memory ordering the probe may have
   * combined the new first word with older other words or an older profile.
   */
  private isStill(slot: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const words = this.words;
    const at = this.keyIndex(slot);
    if (Atomics.load(words, at) !== ~w0 || Atomics.load(words, at + 1) !== (w1 | 0)) return false;
    if (this.keyWords === 2) return true;
    return Atomics.load(words, at + 2) === (w2 | 0) && Atomics.load(words, at + 3) === (w3 | 0);
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
