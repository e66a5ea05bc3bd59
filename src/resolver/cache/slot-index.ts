import type { EntryView } from './entry-view.ts';
import {
  distance,
  firstBucket,
  type Geometry,
  markByte,
  placeOf,
  secondBucket,
  Use,
  WAYS,
} from './handle.ts';
import type { EntryKey } from './key.ts';

/** Not a slot. */
export const NO_SLOT = -1;

/** The writer's view of the index. A slot is identified by the word that holds its hash (handle.ts). */
export class SlotIndex {
  private readonly geometry: Geometry;
  private readonly view: EntryView;
  private readonly words: Uint32Array;
  private readonly bytes: Uint8Array;

  /** @param view of the same memory, for comparing keys */
  constructor(geometry: Geometry, memory: SharedArrayBuffer, view: EntryView) {
    this.geometry = geometry;
    this.view = view;
    this.words = new Uint32Array(memory);
    this.bytes = new Uint8Array(memory);
  }

  /** The slot of the entry with this key. */
  slotOf(key: EntryKey): number {
    const slot = this.slotOfIn(firstBucket(key.hash, this.geometry), key);
    return slot !== NO_SLOT ? slot : this.slotOfIn(secondBucket(key.hash, this.geometry), key);
  }

  /** The slot of the entry with this hash at this position. */
  slotAt(hash: number, position: number): number {
    const slot = this.slotAtIn(firstBucket(hash, this.geometry), position);
    return slot !== NO_SLOT ? slot : this.slotAtIn(secondBucket(hash, this.geometry), position);
  }

  /**
   * The slot for a new entry: a free one of its two buckets, else the one missed least: unused before used,
   * then the oldest.
   */
  slotToTake(hash: number, tail: number): number {
    const first = this.leastIn(firstBucket(hash, this.geometry), tail);
    if (this.isFree(first)) return first;
    const second = this.leastIn(secondBucket(hash, this.geometry), tail);
    return this.isFree(second) || this.worth(second, tail) < this.worth(first, tail) ? second : first;
  }

  isFree(slot: number): boolean {
    return this.words[slot + WAYS] === 0;
  }

  /** True if a reader has found the entry since it was written. */
  isUsed(slot: number): boolean {
    return this.bytes[markByte(slot)] !== Use.NONE;
  }

  clear(slot: number): void {
    Atomics.store(this.words, slot + WAYS, 0);
  }

  /** Gives the slot to another key. */
  assign(slot: number, hash: number, position: number): void {
    this.clear(slot);
    this.words[slot] = hash;
    this.point(slot, position);
  }

  /** Points the slot to a new entry, which publishes it: a reader that sees the position sees its bytes, too. */
  point(slot: number, position: number): void {
    this.bytes[markByte(slot)] = Use.NONE;
    Atomics.store(this.words, slot + WAYS, position + 1);
  }

  private slotOfIn(bucket: number, key: EntryKey): number {
    for (let slot = bucket; slot < bucket + WAYS; slot++) {
      if (this.words[slot] !== key.hash || this.isFree(slot)) continue;
      if (this.view.holds(placeOf(this.words[slot + WAYS] - 1, this.geometry), key, 0)) return slot;
    }
    return NO_SLOT;
  }

  private slotAtIn(bucket: number, position: number): number {
    for (let slot = bucket; slot < bucket + WAYS; slot++) {
      if (this.words[slot + WAYS] === position + 1) return slot;
    }
    return NO_SLOT;
  }

  private leastIn(bucket: number, tail: number): number {
    let least = bucket;
    for (let slot = bucket; slot < bucket + WAYS; slot++) {
      if (this.isFree(slot)) return slot;
      if (this.worth(slot, tail) < this.worth(least, tail)) least = slot;
    }
    return least;
  }

  private worth(slot: number, tail: number): number {
    const age = distance(this.words[slot + WAYS] - 1, tail, this.geometry.modulus);
    return this.isUsed(slot) ? age + this.geometry.arenaUnits : age;
  }
}
