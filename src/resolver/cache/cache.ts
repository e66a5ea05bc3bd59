import { EntryView } from './entry-view.ts';
import {
  type CacheHandle,
  createHandle,
  type Geometry,
  geometryOf,
  placeOf,
  TAIL_WORD,
  WriterWord,
} from './handle.ts';
import { EntryKey } from './key.ts';
import { ENTRY_HEADER_BYTES, EXPIRES_WORD, HASH_WORD, SIZE_WORD, STORED_WORD, UNIT_BYTES } from './layout.ts';
import { NO_SLOT, SlotIndex } from './slot-index.ts';

export const DEFAULT_CACHE_BYTES = 64 * 1024 ** 2;
export const DEFAULT_STALE_SECONDS = 86_400;

/** Set in the first word of the gap before the arena's end, where the next entry had no room. */
const GAP_BIT = 0x80000000;
/** Largest part of the arena that an entry may fill; a larger one is not stored. */
const MAX_ENTRY_SHARE = 1 / 4;
/** Most bytes that a store carries from the tail to the head, which bounds the work of the second chance. */
const CARRY_BYTES = 8192;
const MAX_CARRIED_ENTRY_BYTES = 2048;

export interface AnswerCacheOptions {
  /** Total memory, index included. Default 64 MiB; the system provides it as it is written. */
  bytes?: number;
  /** Time after its expiry for which an answer is still found, as STALE. Default a day. */
  staleSeconds?: number;
  /** Position of the first entry. Tests start shortly before positions wrap around. */
  firstPosition?: number;
}

export interface CacheStats {
  /** Total memory in bytes. */
  bytes: number;
  /** Entries in the index, including expired ones. */
  entries: number;
  stored: number;
  /** Entries stored over one of the same key. */
  replaced: number;
  /** Entries taken by the tail: unused since they were written, expired, or more than a store may carry. */
  evicted: number;
  /** Entries removed from the index to make room there. */
  displaced: number;
  /** Used entries that the tail reached and that were written again at the head. */
  carried: number;
  /** Entries too large for the arena. */
  refused: number;
}

/** From this length on Buffer's copy is faster than a loop. */
const COPY_BY_CALL_BYTES = 256;
/** Tries to take the lock before a writer sleeps. A store holds it briefly. */
const LOCK_SPINS = 100;
/** Bounds a sleep whose wake-up got lost. */
const LOCK_WAIT_MS = 10;

/**
 * Writes to the cache. Several threads may write, each through its own CacheWriter, one at a time by a lock
 * in the shared memory; readers take no lock. The arena is a circular log: entries are written at the head,
 * and the tail makes room. An entry found since it was written is carried to the head when the tail reaches
 * it (second chance), so used answers stay and others leave in order of arrival. Deleting and replacing
 * change the index only.
 */
export class CacheWriter {
  protected readonly memory: CacheHandle;
  protected readonly geometry: Geometry;
  protected readonly control: Int32Array;
  private readonly index: SlotIndex;
  private readonly bytes: Buffer;
  private readonly words: Uint32Array;
  private readonly tailWord: Int32Array;
  private readonly view: EntryView;
  private readonly key = new EntryKey();
  private readonly header = new Uint8Array(ENTRY_HEADER_BYTES);
  private readonly headerWords = new Uint32Array(this.header.buffer);
  private readonly carry = Buffer.alloc(CARRY_BYTES);
  private readonly carryWords = new Uint32Array(this.carry.buffer, this.carry.byteOffset, CARRY_BYTES >>> 2);
  private carryLength = 0;
  /** Copies of the shared words, valid while the lock is held. */
  private head = 0;
  private tail = 0;
  private usedUnits = 0;
  private nowSeconds = 0;

  constructor(handle: CacheHandle) {
    this.memory = handle;
    this.bytes = Buffer.from(handle.buffer);
    this.words = new Uint32Array(handle.buffer);
    this.control = new Int32Array(handle.buffer, 0, TAIL_WORD);
    this.geometry = geometryOf(handle);
    this.view = new EntryView(handle.buffer);
    this.index = new SlotIndex(this.geometry, handle.buffer, this.view);
    this.tailWord = new Int32Array(handle.buffer, TAIL_WORD * 4, 1);
  }

  /**
   * Stores the entry in entry[0, length), as buildEntry made it, over one of the same key. Only cacheable
   * entries (BuiltEntry) may be stored. Allocates nothing if `entry` is a Buffer.
   */
  store(entry: Uint8Array, length = entry.length): void {
    for (let i = 0; i < ENTRY_HEADER_BYTES; i++) this.header[i] = entry[i];
    this.lock();
    try {
      if (length > this.geometry.arenaUnits * UNIT_BYTES * MAX_ENTRY_SHARE) this.count(WriterWord.REFUSED);
      else this.storeLocked(entry, length);
    } finally {
      this.unlock();
    }
  }

  private storeLocked(entry: Uint8Array, length: number): void {
    const { control } = this;
    this.head = control[WriterWord.HEAD] >>> 0;
    this.usedUnits = control[WriterWord.USED_UNITS];
    this.tail = this.tailWord[0] >>> 0;
    this.nowSeconds = this.headerWords[STORED_WORD];
    this.count(WriterWord.STORED);
    this.carryLength = 0;
    const newest = this.headerWords[HASH_WORD];
    this.append(entry, 0, length, newest);
    for (let at = 0; at < this.carryLength; ) {
      const size = this.carryWords[(at >>> 2) + SIZE_WORD] * UNIT_BYTES;
      this.append(this.carry, at, size, newest);
      this.count(WriterWord.CARRIED);
      at += size;
    }
    control[WriterWord.HEAD] = this.head;
    control[WriterWord.USED_UNITS] = this.usedUnits;
  }

  private lock(): void {
    const { control } = this;
    for (let spin = 0; spin < LOCK_SPINS; spin++) {
      if (Atomics.compareExchange(control, WriterWord.LOCK, 0, 1) === 0) return;
    }
    while (Atomics.exchange(control, WriterWord.LOCK, 2) !== 0) {
      Atomics.wait(control, WriterWord.LOCK, 2, LOCK_WAIT_MS);
    }
  }

  private unlock(): void {
    const { control } = this;
    if (Atomics.exchange(control, WriterWord.LOCK, 0) === 2) Atomics.notify(control, WriterWord.LOCK, 1);
  }

  private count(word: number, by = 1): void {
    this.control[word] += by;
  }

  /** Writes the entry at the head, then points the index to it. */
  private append(entry: Uint8Array, from: number, length: number, newestHash: number): void {
    const { geometry, words } = this;
    const units = length / UNIT_BYTES;
    const left = geometry.arenaUnits - (this.head % geometry.arenaUnits);
    const gap = units > left ? left : 0;
    const needed = units + gap;
    if (this.usedUnits + needed > geometry.arenaUnits) {
      while (this.usedUnits + needed > geometry.arenaUnits) this.retireOldest(newestHash);
      this.publishTail();
    }
    if (gap > 0) {
      words[(placeOf(this.head, geometry) >>> 2) + SIZE_WORD] = (GAP_BIT | gap) >>> 0;
      this.advanceHead(gap);
    }
    const position = this.head;
    const place = placeOf(position, geometry);
    if (length < COPY_BY_CALL_BYTES) {
      for (let i = 0; i < length; i++) this.bytes[place + i] = entry[from + i];
    } else if (entry instanceof Buffer) entry.copy(this.bytes, place, from, from + length);
    else this.bytes.set(entry.subarray(from, from + length), place);
    this.advanceHead(units);
    this.view.open(place, 0);
    this.view.keyAt(place, this.key);
    this.point(position);
  }

  private advanceHead(units: number): void {
    this.head = (this.head + units) % this.geometry.modulus;
    this.usedUnits += units;
  }

  /** Moves the tail past one entry or gap. Readers learn of it by publishTail. */
  private retireOldest(newestHash: number): void {
    const { geometry, words, tail } = this;
    const place = placeOf(tail, geometry);
    const size = words[(place >>> 2) + SIZE_WORD];
    const units = size & ~GAP_BIT;
    if (units === 0) throw new Error('cache: an entry without a size');
    if (size < GAP_BIT) this.unlink(place, units * UNIT_BYTES, newestHash);
    this.tail = (tail + units) % geometry.modulus;
    this.usedUnits -= units;
  }

  /**
   * Removes the tail's entry from the index, unless the index points to a newer one, and carries it if it is
   * in use.
   */
  private unlink(place: number, length: number, newestHash: number): void {
    const { words, bytes } = this;
    const hash = words[(place >>> 2) + HASH_WORD];
    const slot = this.index.slotAt(hash, this.tail);
    if (slot === NO_SLOT) return;
    // The entry being stored may be the newer answer to the same question.
    const inUse = this.index.isUsed(slot) && hash !== newestHash;
    this.index.clear(slot);
    this.count(WriterWord.ENTRIES, -1);
    const fresh = words[(place >>> 2) + EXPIRES_WORD] > this.nowSeconds;
    const fits = length <= MAX_CARRIED_ENTRY_BYTES && this.carryLength + length <= CARRY_BYTES;
    if (inUse && fresh && fits) {
      bytes.copy(this.carry, this.carryLength, place, place + length);
      this.carryLength += length;
    } else this.count(WriterWord.EVICTED);
  }

  /** Points the index to the entry with this.key at `position`. */
  private point(position: number): void {
    const { index, key } = this;
    const slot = index.slotOf(key);
    if (slot !== NO_SLOT) {
      this.count(WriterWord.REPLACED);
      index.point(slot, position);
      return;
    }
    const taken = index.slotToTake(key.hash, this.tail);
    this.count(index.isFree(taken) ? WriterWord.ENTRIES : WriterWord.DISPLACED);
    index.assign(taken, key.hash, position);
  }

  /** The load after the store keeps bytes written next from becoming visible before the tail. */
  private publishTail(): void {
    Atomics.store(this.tailWord, 0, this.tail | 0);
    Atomics.load(this.tailWord, 0);
  }
}

/** The owner's view of the cache: its memory, a writer for this thread, and the counts of all writers. */
export class AnswerCache extends CacheWriter {
  constructor(options: AnswerCacheOptions = {}) {
    super(createHandle(options.bytes ?? DEFAULT_CACHE_BYTES, options.staleSeconds ?? DEFAULT_STALE_SECONDS));
    const first = (options.firstPosition ?? 0) % this.geometry.modulus;
    this.control[WriterWord.HEAD] = first;
    Atomics.store(new Int32Array(this.memory.buffer), TAIL_WORD, first | 0);
  }

  /** For readers and writers in this and other threads. */
  handle(): CacheHandle {
    return this.memory;
  }

  get stats(): Readonly<CacheStats> {
    const of = (word: number): number => this.control[word] >>> 0;
    return {
      bytes: this.memory.buffer.byteLength,
      entries: of(WriterWord.ENTRIES),
      stored: of(WriterWord.STORED),
      replaced: of(WriterWord.REPLACED),
      evicted: of(WriterWord.EVICTED),
      displaced: of(WriterWord.DISPLACED),
      carried: of(WriterWord.CARRIED),
      refused: of(WriterWord.REFUSED),
    };
  }
}
