import { equalBytes, readU32, writeU32 } from '../../wire/index.ts';
import type { EntryKey } from './key.ts';
import {
  ANSWER_COUNT_HALF,
  AUTHENTIC_BYTE,
  AUTHORITY_COUNT_HALF,
  BODY_LENGTH_HALF,
  CLASS_HALF,
  CUT_COUNT_HALF,
  ENTRY_HEADER_BYTES,
  EXPIRES_WORD,
  HASH_WORD,
  KEY_FLAGS_BYTE,
  MAX_ENTRY_BYTES,
  NAME_LENGTH_BYTE,
  RCODE_BYTE,
  STORED_WORD,
  TABLE_HALF,
  TYPE_HALF,
} from './layout.ts';

/** Results of render that are not offsets. */
export const DOES_NOT_FIT = -1;
export const OVERTAKEN = -2;

/** TTL of records in a stale answer (RFC 8767 4). */
export const STALE_TTL_SECONDS = 30;

/** From this length on Buffer's copy, a call out of JavaScript, beats a loop. */
const COPY_BY_CALL_BYTES = 48;

/**
 * Reads and renders entries (layout.ts), in the cache or in memory of their own. An entry in the cache may be
 * overwritten while it is read, so every value is checked against the bounds of the memory and of `out`
 * before use, and CacheReader checks afterwards that the entry was whole. Allocates nothing.
 */
export class EntryView {
  protected readonly bytes: Buffer;
  protected readonly words: Uint32Array;
  private readonly halves: Uint16Array;

  rcode = 0;
  /** AD of the upstream's reply. */
  authenticData = false;
  /** Records of the entry; after renderTruncated, records written. */
  answerCount = 0;
  authorityCount = 0;
  /** Seconds until it expires; 0 after that. Set by open. */
  ttlSeconds = 0;
  /** TTL when it was stored, in seconds; prefetching compares the two. */
  originalTtlSeconds = 0;
  /**
   * Offset in the question's name of the name that the entry is about. Above 0 for a denial of a name above,
   * whose compression pointers then point too far to the front by this many bytes (movePointers).
   */
  deniedOffset = 0;
  /** True if it is served after its expiry, with TTLs of STALE_TTL_SECONDS. */
  protected stale = false;

  /** Seconds of the process's clock. */
  storedSeconds = 0;
  expiresSeconds = 0;
  private table = 0;
  private recordCount = 0;
  private cutCount = 0;
  private nameOffset = 0;
  private nameLength = 0;
  private bodyOffset = 0;
  private bodyLength = 0;

  constructor(buffer: ArrayBufferLike, byteOffset = 0, byteLength = buffer.byteLength) {
    this.bytes = Buffer.from(buffer, byteOffset, byteLength);
    this.words = new Uint32Array(buffer, byteOffset, byteLength >>> 2);
    this.halves = new Uint16Array(buffer, byteOffset, byteLength >>> 1);
  }

  /** Reads the header of the entry at byte `place`. @returns false if it is outside the memory */
  open(place: number, nowSeconds: number): boolean {
    const { bytes, halves, words } = this;
    const word = place >>> 2;
    const half = place >>> 1;
    if (place + ENTRY_HEADER_BYTES > bytes.length) return false;
    this.answerCount = halves[half + ANSWER_COUNT_HALF];
    this.authorityCount = halves[half + AUTHORITY_COUNT_HALF];
    this.recordCount = this.answerCount + this.authorityCount;
    this.cutCount = halves[half + CUT_COUNT_HALF];
    this.table = half + TABLE_HALF;
    this.nameOffset = place + ENTRY_HEADER_BYTES + 2 * (this.recordCount + this.cutCount);
    this.nameLength = bytes[place + NAME_LENGTH_BYTE];
    this.bodyOffset = this.nameOffset + this.nameLength;
    this.bodyLength = halves[half + BODY_LENGTH_HALF];
    if (this.bodyOffset + this.bodyLength > bytes.length) return false;
    this.expiresSeconds = words[word + EXPIRES_WORD];
    this.storedSeconds = words[word + STORED_WORD];
    this.originalTtlSeconds = this.expiresSeconds - this.storedSeconds;
    this.ttlSeconds = this.expiresSeconds > nowSeconds ? this.expiresSeconds - nowSeconds : 0;
    this.rcode = bytes[place + RCODE_BYTE];
    this.authenticData = bytes[place + AUTHENTIC_BYTE] !== 0;
    this.stale = false;
    return true;
  }

  /** True if the entry at `place` has this key; the view is then open there. */
  holds(place: number, key: EntryKey, nowSeconds: number): boolean {
    const half = place >>> 1;
    return (
      this.words[(place >>> 2) + HASH_WORD] === key.hash &&
      this.bytes[place + NAME_LENGTH_BYTE] === key.nameLength &&
      this.bytes[place + KEY_FLAGS_BYTE] === key.flags &&
      this.halves[half + TYPE_HALF] === key.type &&
      this.halves[half + CLASS_HALF] === key.qclass &&
      this.open(place, nowSeconds) &&
      equalBytes(this.bytes, this.nameOffset, key.nameBytes, key.nameOffset, key.nameLength)
    );
  }

  /** Fills `key` with the key of the entry at `place`, which must be open. */
  keyAt(place: number, key: EntryKey): void {
    const half = place >>> 1;
    key.hash = this.words[(place >>> 2) + HASH_WORD];
    key.nameBytes = this.bytes;
    key.nameOffset = this.nameOffset;
    key.nameLength = this.nameLength;
    key.type = this.halves[half + TYPE_HALF];
    key.qclass = this.halves[half + CLASS_HALF];
    key.flags = this.bytes[place + KEY_FLAGS_BYTE];
  }

  /**
   * Copies the records to out[outOffset, ...), which is right behind the question that stands at 12 of the
   * message `out`, their TTLs less by the seconds since they were stored (RFC 2181 5.2, RFC 1035 3.2.1).
   * @param maxLength the offset that the records may reach: the message's size less what follows them.
   * @returns the offset behind the records; DOES_NOT_FIT; or OVERTAKEN: take it as a miss. In the latter
   *   cases bytes of `out` from outOffset on may have been written.
   */
  render(out: Uint8Array, outOffset: number, maxLength: number, nowSeconds: number): number {
    if (outOffset + this.bodyLength > maxLength) return DOES_NOT_FIT;
    return this.copy(out, outOffset, this.bodyLength, nowSeconds);
  }

  /**
   * The same with as many whole RRsets as fit (RFC 2181 9); TC is the caller's to set. answerCount and
   * authorityCount say what was written.
   */
  renderTruncated(out: Uint8Array, outOffset: number, maxLength: number, nowSeconds: number): number {
    const room = maxLength - outOffset;
    let length = 0;
    const cuts = this.table + this.recordCount;
    for (let i = 0; i < this.cutCount; i++) {
      const cut = this.halves[cuts + i];
      if (cut > room || cut > this.bodyLength) break;
      length = cut;
    }
    if (this.bodyLength <= room) length = this.bodyLength;
    let answers = 0;
    let authorities = 0;
    for (let i = 0; i < this.recordCount && this.halves[this.table + i] < length; i++) {
      if (i < this.answerCount) answers++;
      else authorities++;
    }
    this.answerCount = answers;
    this.authorityCount = authorities;
    return this.copy(out, outOffset, length, nowSeconds);
  }

  private copy(out: Uint8Array, outOffset: number, length: number, nowSeconds: number): number {
    const { bytes, bodyOffset } = this;
    if (length < COPY_BY_CALL_BYTES) {
      for (let i = 0; i < length; i++) out[outOffset + i] = bytes[bodyOffset + i];
    } else bytes.copy(out, outOffset, bodyOffset, bodyOffset + length);
    const ageSeconds = nowSeconds > this.storedSeconds ? nowSeconds - this.storedSeconds : 0;
    if (ageSeconds === 0) return outOffset + length;
    const records = this.answerCount + this.authorityCount;
    for (let i = 0; i < records; i++) {
      const at = this.halves[this.table + i];
      // Only in an overwritten entry; the bytes behind the body in `out` belong to another.
      if (at + 4 > length) return OVERTAKEN;
      const ttlSeconds = readU32(out, outOffset + at) - ageSeconds;
      writeU32(out, outOffset + at, this.stale ? STALE_TTL_SECONDS : ttlSeconds > 0 ? ttlSeconds : 0);
    }
    return outOffset + length;
  }
}

/** One entry outside the cache, as buildEntry made it. */
export class EntryReader extends EntryView {
  constructor(entry: Uint8Array, nowSeconds: number) {
    super(Uint8Array.from(entry).buffer);
    this.open(0, nowSeconds);
  }
}

/**
 * Like EntryReader for many entries in turn, each copied to where the views are: new views for each would
 * cost more than the answer.
 */
export class EntryScratch extends EntryView {
  constructor() {
    super(new ArrayBuffer(MAX_ENTRY_BYTES));
  }

  load(entry: Uint8Array, nowSeconds: number): this {
    const { bytes } = this;
    if (entry.length < COPY_BY_CALL_BYTES) for (let i = 0; i < entry.length; i++) bytes[i] = entry[i];
    else bytes.set(entry);
    this.open(0, nowSeconds);
    return this;
  }
}

/**
 * Renders an entry in plain memory like EntryView.render, for callers that do not need its counts and rcode.
 */
export function renderEntry(
  entry: Uint8Array,
  out: Uint8Array,
  outOffset: number,
  maxLength: number,
  nowSeconds: number,
): number {
  return new EntryReader(entry, nowSeconds).render(out, outOffset, maxLength, nowSeconds);
}
