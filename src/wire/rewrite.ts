import { HEADER_BYTES, readU16, writeU16, writeU32 } from './header.ts';
import {
  hashSuffixes,
  lowerCase,
  MALFORMED,
  MAX_LABELS,
  MAX_NAME_BYTES,
  NameScratch,
  readName,
} from './name.ts';
import type { Question } from './question.ts';
import { RecordClass, RecordType } from './types.ts';

/** Longest message: the 16-bit length field of TCP bounds it (RFC 1035 4.2.2). */
export const MAX_MESSAGE_BYTES = 65535;
/** A compression pointer has 14 bits (RFC 1035 4.1.4). */
const MAX_POINTER = 0x3fff;
const POINTER_BITS = 0xc0;
const RECORD_FIXED_BYTES = 10;
/** Slots for names written before, by hash. On a collision the later name is merely not a compression target. */
const KNOWN_NAMES = 256;

/** Parts of RDATA; a positive number is that many bytes, copied unchanged. */
const NAME = -1;
const STRING = -2;
const REST = -3;

interface RdataLayout {
  readonly parts: readonly number[];
  /** True if its names may be compressed: only in the types of RFC 1035 (RFC 3597 4). */
  readonly compress: boolean;
}

const OPAQUE: RdataLayout = { parts: [REST], compress: false };
const LAYOUTS = rdataLayouts();

/** Offsets of a record within its message; a RecordCursor has them. */
export interface RecordPlace {
  readonly ownerOffset: number;
  readonly type: number;
  readonly rclass: number;
  readonly rdataOffset: number;
  readonly rdataLength: number;
}

/**
 * Copies records of one message behind the question of another. Names in the types of RFC 3597 4 (and DNAME, RRSIG, NSEC,
 * SVCB) are expanded, and compressed again against the new question's name and the names written before. So every pointer
 * leads into the new message, and an owner equal to the question's name takes the client's case. Other names keep their
 * case, except that letters from the old question are lower-cased: their case was our own 0x20 choice.
 *
 * Allocated once; `begin` starts a message. Work per record: its length plus at most 255 bytes a name.
 */
export class RecordWriter {
  /** The message so far is bytes[0, offset); the header is left for the caller. */
  readonly bytes = new Uint8Array(MAX_MESSAGE_BYTES);
  offset = 0;
  /** Offset of the TTL of the last record written. */
  ttlOffset = 0;

  private readonly name = new NameScratch();
  private readonly cased = new Uint8Array(MAX_NAME_BYTES);
  private readonly hashes = new Int32Array(MAX_LABELS + 1);
  private readonly knownHashes = new Int32Array(KNOWN_NAMES);
  private readonly knownOffsets = new Uint16Array(KNOWN_NAMES);
  private message: Uint8Array = new Uint8Array(0);
  private length = 0;
  private questionEnd = 0;

  /** Starts a message with this question, whose records come from message[0, length). */
  begin(question: Question, message: Uint8Array, length: number, questionEnd: number): void {
    this.message = message;
    this.length = length;
    this.questionEnd = questionEnd;
    this.knownOffsets.fill(0);
    const name = question.name;
    for (let i = 0; i < name.length; i++) this.bytes[HEADER_BYTES + i] = name.bytes[i];
    hashSuffixes(name, 0, this.hashes);
    for (let i = 0; i < name.labelCount; i++) this.remember(i, HEADER_BYTES + name.labelOffsets[i]);
    this.offset = HEADER_BYTES + name.length;
    this.put16(question.type);
    this.put16(question.qclass);
  }

  /**
   * Copies one record, with this TTL.
   * @returns false if a name in it is malformed, its RDATA does not fit its type, or the message would exceed 65535 bytes;
   *   the writer is then unusable until the next `begin`.
   */
  copy(record: RecordPlace, ttlSeconds: number): boolean {
    if (this.copyName(record.ownerOffset, this.length, true) === MALFORMED) return false;
    if (this.offset + RECORD_FIXED_BYTES > MAX_MESSAGE_BYTES) return false;
    this.put16(record.type);
    this.put16(record.rclass);
    this.ttlOffset = this.offset;
    writeU32(this.bytes, this.offset, ttlSeconds);
    this.offset += 4;
    const lengthAt = this.offset;
    this.offset += 2;
    if (!this.copyRdata(record)) return false;
    writeU16(this.bytes, lengthAt, this.offset - lengthAt - 2);
    return true;
  }

  private copyRdata(record: RecordPlace): boolean {
    const layout = layoutOf(record.type, record.rclass);
    const end = record.rdataOffset + record.rdataLength;
    let at = record.rdataOffset;
    const { parts } = layout;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      if (part === NAME) {
        at = this.copyName(at, end, layout.compress);
        if (at === MALFORMED) return false;
        continue;
      }
      if (part === STRING && at >= end) return false;
      const size = part === REST ? end - at : part === STRING ? 1 + this.message[at] : part;
      if (at + size > end || !this.copyBytesFrom(at, size)) return false;
      at += size;
    }
    return at === end;
  }

  private copyBytesFrom(from: number, size: number): boolean {
    if (this.offset + size > MAX_MESSAGE_BYTES) return false;
    const { bytes, message, offset } = this;
    // A subarray for Uint8Array.set would be allocated for each record.
    for (let i = 0; i < size; i++) bytes[offset + i] = message[from + i];
    this.offset += size;
    return true;
  }

  /** Copies the name at `from`; its wire form must end at or before `limit`. @returns the offset behind it. */
  private copyName(from: number, limit: number, compress: boolean): number {
    const name = this.name;
    const end = readName(this.message, this.length, from, name);
    if (end === MALFORMED || end > limit) return MALFORMED;
    this.readCase(from);
    hashSuffixes(name, 0, this.hashes);
    let labels = 0;
    let target = 0;
    while (labels < name.labelCount && target === 0) {
      if (compress) target = this.recall(labels);
      if (target === 0) labels++;
    }
    const size = target === 0 ? name.length : name.labelOffsets[labels];
    if (this.offset + size + 2 > MAX_MESSAGE_BYTES) return MALFORMED;
    for (let i = 0; i < labels; i++) this.remember(i, this.offset + name.labelOffsets[i]);
    for (let i = 0; i < size; i++) this.bytes[this.offset + i] = this.cased[i];
    this.offset += size;
    if (target !== 0) this.put16((POINTER_BITS << 8) | target);
    return end;
  }

  /** Fills `cased` with the name at `from`, which readName has accepted. */
  private readCase(from: number): void {
    const message = this.message;
    let at = from;
    let used = 0;
    for (let byte = message[at]; byte !== 0; byte = message[at]) {
      if (byte >= POINTER_BITS) {
        at = readU16(message, at) & MAX_POINTER;
        continue;
      }
      const stop = at + byte + 1;
      this.cased[used++] = byte;
      const ours = at < this.questionEnd;
      for (at++; at < stop; at++) this.cased[used++] = ours ? lowerCase(message[at]) : message[at];
    }
    this.cased[used] = 0;
  }

  private remember(label: number, offset: number): void {
    const slot = this.hashes[label] & (KNOWN_NAMES - 1);
    if (offset > MAX_POINTER || this.knownOffsets[slot] !== 0) return;
    this.knownHashes[slot] = this.hashes[label];
    this.knownOffsets[slot] = offset;
  }

  /** Looks up where the suffix of `name` from this label on was written before; 0 if nowhere. */
  private recall(label: number): number {
    const slot = this.hashes[label] & (KNOWN_NAMES - 1);
    const offset = this.knownOffsets[slot];
    if (offset === 0 || this.knownHashes[slot] !== this.hashes[label]) return 0;
    return this.standsAt(offset, label) ? offset : 0;
  }

  private standsAt(offset: number, label: number): boolean {
    const { bytes, name } = this;
    let at = offset;
    for (let i = label; i <= name.labelCount; i++) {
      while (bytes[at] >= POINTER_BITS) at = readU16(bytes, at) & MAX_POINTER;
      const from = name.labelOffsets[i];
      const size = name.bytes[from];
      if (bytes[at] !== size) return false;
      for (let j = 1; j <= size; j++) if (lowerCase(bytes[at + j]) !== name.bytes[from + j]) return false;
      at += size + 1;
    }
    return true;
  }

  private put16(value: number): void {
    writeU16(this.bytes, this.offset, value);
    this.offset += 2;
  }
}

function layoutOf(type: number, rclass: number): RdataLayout {
  // A and AAAA have these layouts in class IN only; CH's A differs (RFC 1035).
  if (rclass !== RecordClass.IN && (type === RecordType.A || type === RecordType.AAAA)) return OPAQUE;
  return LAYOUTS.get(type) ?? OPAQUE;
}

/** Layouts of RFC 1035 3.3, of the types in RFC 3597 4, and of later types that hold names. */
function rdataLayouts(): Map<number, RdataLayout> {
  const layouts = new Map<number, RdataLayout>();
  const put = (compress: boolean, parts: number[], ...types: number[]): void => {
    for (const type of types) layouts.set(type, { parts, compress });
  };
  const t = RecordType;
  put(false, [4], t.A);
  put(false, [16], t.AAAA);
  put(true, [NAME], t.NS, t.MD, t.MF, t.CNAME, t.MB, t.MG, t.MR, t.PTR);
  put(true, [NAME, NAME, 20], t.SOA);
  put(true, [NAME, NAME], t.MINFO);
  put(true, [2, NAME], t.MX);
  put(false, [NAME], t.DNAME);
  put(false, [NAME, NAME], t.RP);
  put(false, [2, NAME], t.AFSDB, t.RT, t.KX);
  put(false, [2, NAME, NAME], t.PX);
  put(false, [6, NAME], t.SRV);
  put(false, [4, STRING, STRING, STRING, NAME], t.NAPTR);
  put(false, [18, NAME, REST], t.SIG, t.RRSIG);
  put(false, [NAME, REST], t.NXT, t.NSEC);
  put(false, [2, NAME, REST], t.SVCB, t.HTTPS);
  return layouts;
}
