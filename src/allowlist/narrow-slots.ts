import type { SlotsHandle } from './handle.ts';
import { mixWord } from './hash.ts';
import { firstSlot, pairWords, type Slots, slotsPerHash } from './slots.ts';

/** 0.0.0.0 and 255.255.255.255 are never a source address (RFC 1122 3.2.1.3). */
const EMPTY = 0;
const TOMBSTONE = -1;

const PAIR_WORDS = pairWords(1);

/** Slots of one-word keys (IPv4), six bytes each. The key is stored last, which publishes the slot. */
export class NarrowSlots implements Slots {
  readonly capacity: number;
  private readonly words: Int32Array;
  private readonly halves: Uint16Array;
  private readonly seed: number;
  private readonly perHash: number;
  private readonly mask: number;

  constructor(handle: SlotsHandle, seed: number) {
    const words = PAIR_WORDS * (handle.capacity >> 1);
    this.capacity = handle.capacity;
    this.words = new Int32Array(handle.memory, 0, words);
    this.halves = new Uint16Array(handle.memory, 0, 2 * words);
    this.seed = seed;
    this.perHash = slotsPerHash(handle.capacity);
    this.mask = handle.length === 32 ? -1 : ~(-1 >>> handle.length);
  }

  /** The profile of the prefix that holds an address; 0 if there is none. Safe in any thread at any time. */
  lookup(address: number): number {
    const key = address & this.mask;
    if (key === EMPTY || key === TOMBSTONE) return 0;
    const slot = this.slotOf(key);
    return slot < 0 ? 0 : this.halves[profileIndex(slot)];
  }

  holds(w0: number): boolean {
    return (w0 | 0) !== EMPTY && (w0 | 0) !== TOMBSTONE;
  }

  slotOf(w0: number): number {
    const words = this.words;
    const key = w0 | 0;
    let slot = firstSlot(mixWord(this.seed, key), this.perHash);
    for (;;) {
      const found = words[keyIndex(slot)];
      if (found === key) return slot;
      if (found === EMPTY) return -1;
      slot += 1;
      if (slot === this.capacity) slot = 0;
    }
  }

  claim(w0: number): number {
    const words = this.words;
    const key = w0 | 0;
    let slot = firstSlot(mixWord(this.seed, key), this.perHash);
    for (;;) {
      const found = words[keyIndex(slot)];
      if (found === key || found === EMPTY) return slot;
      slot += 1;
      if (slot === this.capacity) slot = 0;
    }
  }

  touch(w0: number): number {
    return this.words[keyIndex(firstSlot(mixWord(this.seed, w0 | 0), this.perHash))];
  }

  isEmpty(slot: number): boolean {
    return this.words[keyIndex(slot)] === EMPTY;
  }

  profileAt(slot: number): number {
    return this.halves[profileIndex(slot)];
  }

  setProfile(slot: number, profile: number): void {
    Atomics.store(this.halves, profileIndex(slot), profile);
  }

  publish(slot: number, w0: number, _w1: number, _w2: number, _w3: number, profile: number): void {
    this.halves[profileIndex(slot)] = profile;
    Atomics.store(this.words, keyIndex(slot), w0 | 0);
  }

  bury(slot: number): void {
    this.setProfile(slot, 0);
    Atomics.store(this.words, keyIndex(slot), TOMBSTONE);
  }

  copyTo(target: Slots): number {
    let copied = 0;
    for (let slot = 0; slot < this.capacity; slot++) {
      const key = this.words[keyIndex(slot)];
      if (key === EMPTY || key === TOMBSTONE) continue;
      target.publish(target.claim(key, 0, 0, 0), key, 0, 0, 0, this.profileAt(slot));
      copied += 1;
    }
    return copied;
  }

  pack(keys: Uint8Array, profiles: Uint16Array): void {
    const view = new DataView(keys.buffer, keys.byteOffset, keys.byteLength);
    let packed = 0;
    for (let slot = 0; slot < this.capacity; slot++) {
      const key = this.words[keyIndex(slot)];
      if (key === EMPTY || key === TOMBSTONE) continue;
      view.setInt32(4 * packed, key);
      profiles[packed++] = this.profileAt(slot);
    }
  }

  countProfiles(counts: Uint32Array): void {
    for (let slot = 0; slot < this.capacity; slot++) {
      if (this.holds(this.words[keyIndex(slot)])) counts[this.profileAt(slot)] += 1;
    }
  }
}

function keyIndex(slot: number): number {
  return (slot >> 1) * PAIR_WORDS + (slot & 1);
}

/** In 16-bit units. */
function profileIndex(slot: number): number {
  return (slot >> 1) * (2 * PAIR_WORDS) + 4 + (slot & 1);
}
