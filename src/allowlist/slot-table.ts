import { NarrowSlots } from './narrow-slots.ts';
import type { SlotsShare } from './share.ts';
import type { Slots } from './slots.ts';
import { WideSlots } from './wide-slots.ts';

/** Probing stays short below it: 2.5 slots on a hit, 8.5 on a miss. */
const MOST_LOAD = 0.75;
/** The load after a rebuild: an IPv4 entry then takes 11.5 bytes, and 8 when the next one is due. */
const LOAD_AFTER_REBUILD = 0.52;
const LOAD_AFTER_LOADING = 0.6;
const LEAST_CAPACITY = 1024;

/** The entries of one family and prefix length, for the one thread that writes them. */
export class SlotTable {
  readonly share: SlotsShare;
  readonly slots: Slots;
  readonly #seed: number;
  /** Entries. */
  live = 0;
  /** Slots that are not empty: entries and tombstones. */
  #used = 0;

  private constructor(family: 4 | 6, length: number, capacity: number, seed: number) {
    const keyWords = family === 4 ? 1 : length <= 64 ? 2 : 4;
    const slotBytes = 4 * keyWords + 2;
    this.share = { family, length, keyWords, capacity, memory: new SharedArrayBuffer(slotBytes * capacity) };
    this.slots = family === 4 ? new NarrowSlots(this.share, seed) : new WideSlots(this.share, seed);
    this.#seed = seed;
  }

  /** An empty table with room for `entries` before it must be rebuilt. */
  static forEntries(family: 4 | 6, length: number, entries: number, seed: number): SlotTable {
    return new SlotTable(family, length, capacityFor(entries, LOAD_AFTER_LOADING), seed);
  }

  /** Whether one more key can be added here. */
  get hasRoom(): boolean {
    return this.#used + 1 <= MOST_LOAD * this.slots.capacity;
  }

  /** The same entries, without tombstones and with room for more, in memory of its own. */
  rebuilt(): SlotTable {
    const { family, length } = this.share;
    const next = new SlotTable(family, length, capacityFor(this.live + 1, LOAD_AFTER_REBUILD), this.#seed);
    next.live = this.slots.copyTo(next.slots);
    next.#used = next.live;
    return next;
  }

  /** Adds an entry that is not there. `hasRoom` must hold. */
  add(w0: number, w1: number, w2: number, w3: number, profile: number): void {
    this.addAt(this.slots.claim(w0, w1, w2, w3), w0, w1, w2, w3, profile);
  }

  /** Adds an entry to the empty slot that was claimed for it. */
  addAt(slot: number, w0: number, w1: number, w2: number, w3: number, profile: number): void {
    this.slots.publish(slot, w0, w1, w2, w3, profile);
    this.live += 1;
    this.#used += 1;
  }

  /** Gives the entry in `slot` another profile: one store, so that readers see the old or the new. */
  replace(slot: number, profile: number): void {
    Atomics.store(this.slots.profiles, slot, profile);
  }

  remove(slot: number): void {
    this.slots.bury(slot);
    this.live -= 1;
  }

  /** Adds how many entries each profile has to `counts`, which is indexed by profile id. */
  countProfiles(counts: Uint32Array): void {
    const { profiles } = this.slots;
    for (let slot = 0; slot < profiles.length; slot++) counts[profiles[slot]] += 1;
  }
}

function capacityFor(entries: number, load: number): number {
  return Math.max(LEAST_CAPACITY, Math.ceil(entries / load));
}
