import { excludeFromDumps } from '../../sys/index.ts';
import { UNIT_BYTES } from './layout.ts';

/**
 * The cache's memory:
 *
 *     byte 0    geometry, written once
 *           16   the writers' lock, head and counts (WriterWord)
 *           64   the tail: position of the oldest entry that is whole
 *          128   the index: buckets of 64 bytes
 *                the arena: entries (layout.ts), one behind the other, round and round
 *
 * A **position** is where in the arena an entry starts, counted in units of 8 bytes and without going
 * back to zero at the arena's end, so that a place in the arena has another position each time round. It
 * does start over at `modulus`, the last multiple of the arena's size that a u32 holds with one to spare:
 * position % arenaUnits is the place at all times, and (a - b) modulo `modulus` is the distance between
 * two positions, given that they lie less than 32 GiB of writing apart. Entries live from tail to head,
 * which are never more than arenaUnits apart; so a position lives if its distance from the tail is below
 * arenaUnits.
 *
 * A **bucket** is one cache line: 7 hashes, 7 positions plus one (0: a free slot) and 7 marks of use; an
 * entry's slot is in either of two. The marks are the one thing that readers write; they lie here and not
 * in the arena, where a reader that came late would write into the middle of a newer entry.
 */
export const WAYS = 7;
const BUCKET_WORDS = 16;
const BUCKET_BYTES = BUCKET_WORDS * 4;
/** Bytes for each bucket: one slot for each 64 bytes of the arena, as the smallest entries have about 72. */
const BYTES_PER_BUCKET = 512;
const CONTROL_BYTES = 128;

const VERSION = 1;
const VERSION_WORD = 0;
const BUCKETS_WORD = 1;
const ARENA_UNITS_WORD = 2;
const STALE_WORD = 3;
/** Words that writers use under the lock. Apart from the tail, whose cache line every reader reads. */
export const WriterWord = {
  /** 0: free, 1: locked, 2: locked with waiters. */
  LOCK: 4,
  HEAD: 5,
  USED_UNITS: 6,
  /** CacheStats, in the order of its fields. */
  ENTRIES: 7,
  STORED: 8,
  REPLACED: 9,
  EVICTED: 10,
  DISPLACED: 11,
  CARRIED: 12,
  REFUSED: 13,
} as const;
export const TAIL_WORD = 16;
const INDEX_WORD = CONTROL_BYTES / 4;

export const MIN_CACHE_BYTES = 64 * 1024;
export const MAX_CACHE_BYTES = 4 * 1024 ** 3;

/** A size that a cache cannot have; the configuration was checked before. */
export class CacheSizeError extends RangeError {
  readonly code = 'cache_size';
  constructor(bytes: number) {
    super(`cache of ${bytes} bytes: expected ${MIN_CACHE_BYTES} to ${MAX_CACHE_BYTES}`);
  }
}

/** Everything that a thread needs to read the cache; can be posted to it. */
export interface CacheHandle {
  readonly buffer: SharedArrayBuffer;
}

/** Layout of a cache, derived from its handle. */
export interface Geometry {
  readonly buckets: number;
  readonly arenaUnits: number;
  readonly arenaOffset: number;
  readonly modulus: number;
  readonly staleSeconds: number;
}

/** Allocates the memory; the system provides pages as they are written. */
export function createHandle(bytes: number, staleSeconds: number): CacheHandle {
  if (!Number.isInteger(bytes) || bytes < MIN_CACHE_BYTES || bytes > MAX_CACHE_BYTES) {
    throw new CacheSizeError(bytes);
  }
  const buckets = Math.floor((bytes - CONTROL_BYTES) / BYTES_PER_BUCKET);
  const arenaUnits = Math.floor((bytes - CONTROL_BYTES - buckets * BUCKET_BYTES) / UNIT_BYTES);
  const buffer = new SharedArrayBuffer(CONTROL_BYTES + buckets * BUCKET_BYTES + arenaUnits * UNIT_BYTES);
  excludeFromDumps(buffer);
  const words = new Uint32Array(buffer);
  words[VERSION_WORD] = VERSION;
  words[BUCKETS_WORD] = buckets;
  words[ARENA_UNITS_WORD] = arenaUnits;
  words[STALE_WORD] = staleSeconds;
  return { buffer };
}

export function geometryOf(handle: CacheHandle): Geometry {
  const words = new Uint32Array(handle.buffer, 0, INDEX_WORD);
  if (words[VERSION_WORD] !== VERSION) throw new TypeError('not a handle of this cache');
  const buckets = words[BUCKETS_WORD];
  const arenaUnits = words[ARENA_UNITS_WORD];
  return {
    buckets,
    arenaUnits,
    arenaOffset: CONTROL_BYTES + buckets * BUCKET_BYTES,
    modulus: Math.floor(0xfffffffe / arenaUnits) * arenaUnits,
    staleSeconds: words[STALE_WORD],
  };
}

/** The first word of the first-choice bucket of a hash. */
export function firstBucket(hash: number, geometry: Geometry): number {
  return INDEX_WORD + Math.floor((hash * geometry.buckets) / 0x100000000) * BUCKET_WORDS;
}

/** The bucket used when the first is full: with one bucket alone, one in fifty entries would find no slot. */
export function secondBucket(hash: number, geometry: Geometry): number {
  return firstBucket(Math.imul(hash, 0x9e3779b1) >>> 0, geometry);
}

/**
 * Marks of use. NONE: not found since the entry was written. REFRESHING: found, and its finder was told to
 * refresh it.
 */
export const Use = { NONE: 0, FOUND: 1, REFRESHING: 2 } as const;

/** The byte that marks a slot (the word of its hash) as used since its entry was written. */
export function markByte(slot: number): number {
  const way = slot % BUCKET_WORDS;
  return (slot - way + 2 * WAYS) * 4 + way;
}

/** The byte at which the entry of a position starts. */
export function placeOf(position: number, geometry: Geometry): number {
  return geometry.arenaOffset + (position % geometry.arenaUnits) * UNIT_BYTES;
}

/** Units from position b to position a. */
export function distance(a: number, b: number, modulus: number): number {
  return a >= b ? a - b : a - b + modulus;
}
