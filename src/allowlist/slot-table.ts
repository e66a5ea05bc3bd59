import type { SlotsHandle } from './handle.ts';
import { NarrowSlots } from './narrow-slots.ts';
import { pairWords, type Slots } from './slots.ts';
import { WideSlots } from './wide-slots.ts';

/** Below it probing stays short: 2.5 slots on a hit, 8.5 on a miss. */
const MOST_LOAD = 0.75;
/** The load after growth: an IPv4 entry then takes 11.5 bytes, and 8 when the next growth is due. */
const LOAD_AFTER_GROWTH = 0.52;
/**
 * The load after a snapshot: 10 bytes an entry; 11.5 in tables far larger than caches, where more slots to probe mean
 * more waits for memory (misses among 10 million took 1.4 times as long at 10 bytes).
 */
const LOAD_AFTER_LOADING = 0.6;
const LOAD_AFTER_LOADING_MANY = 0.52;
const MANY_ENTRIES = 2_000_000;
const LEAST_CAPACITY = 1024;

/** The entries of one family and prefix length, for the one thread that writes them. */
export class SlotTable {
  readonly handle: SlotsHandle;
  readonly slots: Slots;
  private readonly seed: number;
  /** Entries. */
  live = 0;
  /** Slots that are not empty: entries and tombstones. */
  private used = 0;

  private constructor(family: 4 | 6, length: number, capacity: number, seed: number) {
    const keyWords = family === 4 ? 1 : length <= 64 ? 2 : 4;
    const bytes = 4 * pairWords(keyWords) * (capacity / 2);
    this.handle = { family, length, keyWords, capacity, memory: collectableMemory(bytes) };
    this.slots = family === 4 ? new NarrowSlots(this.handle, seed) : new WideSlots(this.handle, seed);
    this.seed = seed;
  }

  /** An empty table with room for `entries` before it must be rebuilt. */
  static forEntries(family: 4 | 6, length: number, entries: number, seed: number): SlotTable {
    const load = entries < MANY_ENTRIES ? LOAD_AFTER_LOADING : LOAD_AFTER_LOADING_MANY;
    return new SlotTable(family, length, capacityFor(entries, load), seed);
  }

  /** Whether one more key can be added here. */
  get hasRoom(): boolean {
    return this.used + 1 <= MOST_LOAD * this.slots.capacity;
  }

  /** The same entries, without tombstones and with room for more, in memory of its own. */
  rebuilt(): SlotTable {
    const { family, length } = this.handle;
    const next = new SlotTable(family, length, capacityFor(this.live + 1, LOAD_AFTER_GROWTH), this.seed);
    next.live = this.slots.copyTo(next.slots);
    next.used = next.live;
    return next;
  }

  /** Adds an entry to the empty slot that was claimed for it. `hasRoom` must hold. */
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
 * Shared memory that goes back to the system when it is collected. V8 maps that of growable buffers; plain ones
 * are malloc's, in whose heap the tables that were outgrown stayed.
 */
function collectableMemory(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytes, { maxByteLength: bytes });
}
