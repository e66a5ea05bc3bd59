import type { Question } from '../../wire/index.ts';
import { EntryView, OVERTAKEN } from './entry-view.ts';
import {
  type CacheHandle,
  distance,
  firstBucket,
  type Geometry,
  geometryOf,
  markByte,
  placeOf,
  secondBucket,
  TAIL_WORD,
  Use,
  WAYS,
} from './handle.ts';
import { DENIAL_TYPE, EntryKey, keyFlags } from './key.ts';

/** Result of find. STALE: expired, but no longer ago than the cache's staleSeconds (RFC 8767). */
export const CacheResult = { MISS: 0, FRESH: 1, STALE: 2 } as const;
export type CacheResult = (typeof CacheResult)[keyof typeof CacheResult];

/** An answer in use is refreshed in the last tenth of its TTL, unless the TTL is too short. */
const REFRESH_SHARE = 10;
const REFRESH_MIN_TTL_SECONDS = 10;
/** An unsigned denial covers names below it no longer than this (src/decisions/nxdomain-cuts.md). */
const UNSIGNED_CUT_SECONDS = 30;

/**
 * Finds answers in a cache that other threads fill, without locks or allocation. Each thread has its own
 * reader.
 *
 * A writer moves the tail past an entry before overwriting its first byte, and the reader checks the tail
 * after copying the last byte, so that it knows whether its copy was whole. Therefore rcode, counts and TTL
 * of a found entry are valid only if render did not return OVERTAKEN.
 */
export class CacheReader extends EntryView {
  private readonly geometry: Geometry;
  private readonly tail: Int32Array;
  /** Stored to, never read: an atomic store keeps what precedes it in place, on ARM, too. */
  private readonly fence = new Int32Array(new SharedArrayBuffer(4));
  private readonly key = new EntryKey();
  private position = 0;
  /** Mark of the last found entry, and whether it had been found before. */
  private mark = 0;
  private foundBefore = false;

  constructor(handle: CacheHandle) {
    super(handle.buffer);
    this.geometry = geometryOf(handle);
    this.tail = new Int32Array(handle.buffer, TAIL_WORD * 4, 1);
  }

  /**
   * Finds an answer to the question, or a denial of its name or of a name above it (RFC 8020 2; see
   * deniedOffset), and opens it for render.
   */
  find(question: Question, dnssecOk: boolean, checkingDisabled: boolean, nowSeconds: number): CacheResult {
    const flags = keyFlags(dnssecOk, checkingDisabled);
    this.deniedOffset = 0;
    const exact = this.findAt(question, 0, question.type, flags, nowSeconds);
    if (exact === CacheResult.FRESH) return exact;
    const { labelCount, labelOffsets } = question.name;
    for (let label = 0; label < labelCount; label++) {
      if (this.findAt(question, label, DENIAL_TYPE, flags, nowSeconds) !== CacheResult.FRESH) continue;
      if (label > 0 && !this.cuts(nowSeconds)) continue;
      this.deniedOffset = labelOffsets[label];
      return CacheResult.FRESH;
    }
    const type = exact === CacheResult.STALE ? question.type : DENIAL_TYPE;
    return this.findAt(question, 0, type, flags, nowSeconds);
  }

  /** True if the opened denial covers names below it, too. */
  private cuts(nowSeconds: number): boolean {
    return this.authenticData || nowSeconds - this.storedSeconds < UNSIGNED_CUT_SECONDS;
  }

  private findAt(
    question: Question,
    label: number,
    type: number,
    flags: number,
    nowSeconds: number,
  ): CacheResult {
    this.key.set(question, label, type, flags);
    if (!this.locate(nowSeconds)) return CacheResult.MISS;
    if (this.ttlSeconds > 0) return CacheResult.FRESH;
    if (nowSeconds - this.expiresSeconds >= this.geometry.staleSeconds) return CacheResult.MISS;
    this.stale = true;
    return CacheResult.STALE;
  }

  /**
   * True if the answer just found is in use and about to expire, so that the caller should refresh it. Told
   * once for each entry; twice if two threads ask at once.
   */
  takeRefresh(): boolean {
    if (!this.foundBefore || this.ttlSeconds * REFRESH_SHARE > this.originalTtlSeconds) return false;
    if (this.originalTtlSeconds < REFRESH_MIN_TTL_SECONDS || this.ttlSeconds === 0) return false;
    // A denial answers for other names and types, too, so it is not refreshed by one question.
    if (this.key.type === DENIAL_TYPE || this.bytes[this.mark] !== Use.FOUND) return false;
    this.bytes[this.mark] = Use.REFRESHING;
    return true;
  }

  override render(out: Uint8Array, outOffset: number, maxLength: number, nowSeconds: number): number {
    const end = super.render(out, outOffset, maxLength, nowSeconds);
    return end < 0 || this.isWhole() ? end : OVERTAKEN;
  }

  override renderTruncated(
    out: Uint8Array,
    outOffset: number,
    maxLength: number,
    nowSeconds: number,
  ): number {
    const end = super.renderTruncated(out, outOffset, maxLength, nowSeconds);
    return end < 0 || this.isWhole() ? end : OVERTAKEN;
  }

  /** Opens the entry with this.key and marks it as used. */
  private locate(nowSeconds: number): boolean {
    const { geometry, key } = this;
    return (
      this.locateIn(firstBucket(key.hash, geometry), nowSeconds) ||
      this.locateIn(secondBucket(key.hash, geometry), nowSeconds)
    );
  }

  private locateIn(bucket: number, nowSeconds: number): boolean {
    const { geometry, words, bytes, key } = this;
    for (let slot = bucket; slot < bucket + WAYS; slot++) {
      if (words[slot] !== key.hash) continue;
      const stored = words[slot + WAYS];
      if (stored === 0 || !this.holds(placeOf(stored - 1, geometry), key, nowSeconds)) continue;
      this.position = stored - 1;
      const mark = markByte(slot);
      this.mark = mark;
      this.foundBefore = bytes[mark] !== Use.NONE;
      // Written only if it changes, so that the cache line stays shared among processors.
      if (!this.foundBefore) bytes[mark] = Use.FOUND;
      return true;
    }
    return false;
  }

  private isWhole(): boolean {
    Atomics.store(this.fence, 0, 0);
    const tail = Atomics.load(this.tail, 0) >>> 0;
    return distance(this.position, tail, this.geometry.modulus) < this.geometry.arenaUnits;
  }
}
