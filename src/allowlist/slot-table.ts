import { excludeFromDumps } from '../sys/index.ts';
import type { SlotsHandle } from './handle.ts';
import { NarrowSlots } from './narrow-slots.ts';
import { pairWords, type Slots } from './slots.ts';
import { WideSlots } from './wide-slots.ts';

/** Up to this load probes stay short: 2.5 slots on a hit, 8.5 on a miss. */
const MOST_LOAD = 0.75;
/** Load after growth: an IPv4 entry then takes 11.5 bytes, and 8 when the next growth is due. */
const LOAD_AFTER_GROWTH = 0.52;
/**
 * Load after a snapshot: 10 bytes an entry. Tables far larger than the caches get 11.5 bytes, because each
 * probed slot is a wait for memory (with 10 million entries misses took 1.4 times as long at 10 bytes).
 */
const LOAD_AFTER_LOADING = 0.6;
const LOAD_AFTER_LOADING_MANY = 0.52;
const MANY_ENTRIES = 2_000_000;
const LEAST_CAPACITY = 1024;

/** Entries of one family and prefix length, for the writing thread. */
export class SlotTable {
  readonly handle: SlotsHandle;
  readonly slots: Slots;
  private readonly seed: number;
  /** Number of entries. */
  live = 0;
  /** Slots in use: entries and tombstones. */
  private used = 0;

  private constructor(family: 4 | 6, length: number, capacity: number, seed: number) {
    const keyWords = family === 4 ? 1 : length <= 64 ? 2 : 4;
    const bytes = 4 * pairWords(keyWords) * (capacity / 2);
    this.handle = { family, length, keyWords, capacity, memory: collectableMemory(bytes) };
    this.slots = family === 4 ? new NarrowSlots(this.handle, seed) : new WideSlots(this.handle, seed);
    this.seed = seed;
  }

  /** An empty table with room for `entries` before a rebuild. */
  static forEntries(family: 4 | 6, length: number, entries: number, seed: number): SlotTable {
    const load = entries < MANY_ENTRIES ? LOAD_AFTER_LOADING : LOAD_AFTER_LOADING_MANY;
    return new SlotTable(family, length, capacityFor(entries, load), seed);
  }

  /** True if one more key fits without a rebuild. */
  get hasRoom(): boolean {
    return this.used + 1 <= MOST_LOAD * this.slots.capacity;
  }

  /** Copies the entries to new memory with room to grow and without tombstones. */
  rebuilt(): SlotTable {
    const { family, length } = this.handle;
    const next = new SlotTable(family, length, capacityFor(this.live + 1, LOAD_AFTER_GROWTH), this.seed);
    next.live = this.slots.copyTo(next.slots);
    next.used = next.live;
    return next;
  }

  /** Adds an entry in the empty slot that was claimed for it. Requires `hasRoom`. */
  add(slot: number, w0: number, w1: number, w2: number, w3: number, profile: number): void {
    this.slots.publish(slot, w0, w1, w2, w3, profile);
    this.live += 1;
    this.used += 1;
  }

  remove(slot: number): void {
    this.slots.bury(slot);
    this.live -= 1;
  }
}

function capacityFor(entries: number, load: number): number {
  return Math.max(LEAST_CAPACITY, 2 * Math.ceil(entries / load / 2));
}

/**
 * Shared memory that returns to the system when collected: V8 maps growable buffers, while plain ones come
 * from malloc's heap, where outgrown tables stayed.
 */
function collectableMemory(bytes: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(bytes, { maxByteLength: bytes });
  excludeFromDumps(memory);
  return memory;
}
