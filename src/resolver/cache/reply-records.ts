import type { RecordPlace } from '../../wire/index.ts';
import {
  additionalCount,
  answerCount,
  authorityCount,
  HEADER_BYTES,
  MALFORMED,
  NameScratch,
  RecordCursor,
  RecordType,
  rcode,
  readName,
  readU16,
} from '../../wire/index.ts';

/** Name in lower-cased wire form as a string of bytes, to be the key of a Map. */
export type NameKey = string;

/** A record of a reply. */
export interface ReplyRecord extends RecordPlace {
  readonly owner: NameKey;
  readonly ttlSeconds: number;
  /** For RRSIG the covered type, else 0. */
  readonly covers: number;
}

export interface ReplyRecords {
  readonly answers: readonly ReplyRecord[];
  readonly authorities: readonly ReplyRecord[];
  /** With the upper bits from OPT (RFC 6891 6.1.3). */
  readonly rcode: number;
  /** The question's name, and the offset behind the question. */
  readonly question: NameKey;
  readonly questionEnd: number;
}

const name = new NameScratch();
const nameBytes = Buffer.from(name.bytes.buffer);
const cursor = new RecordCursor();

/** The name at `offset`; null if it is malformed, or does not end at `end` if that is given. */
export function nameKeyAt(m: Uint8Array, length: number, offset: number, end?: number): NameKey | null {
  const behind = readName(m, length, offset, name);
  if (behind === MALFORMED || (end !== undefined && behind !== end)) return null;
  return nameKeyOf(name);
}

export function nameKeyOf(scratch: NameScratch): NameKey {
  if (scratch === name) return nameBytes.toString('latin1', 0, name.length);
  return Buffer.from(scratch.bytes.buffer, scratch.bytes.byteOffset, scratch.length).toString('latin1');
}

/** The name without its first label; the root for the root. */
export function parentOf(key: NameKey): NameKey {
  return key.length === 1 ? key : key.slice(key.charCodeAt(0) + 1);
}

/** True if `key` is `ancestor` or below it. */
export function isWithin(key: NameKey, ancestor: NameKey): boolean {
  let at = key;
  while (at.length > ancestor.length) at = parentOf(at);
  return at === ancestor;
}

/** Reads all records of a reply with one question. @returns null if it is malformed */
export function readReplyRecords(m: Uint8Array, length: number): ReplyRecords | null {
  const nameEnd = readName(m, length, HEADER_BYTES, name);
  if (nameEnd === MALFORMED || nameEnd + 4 > length) return null;
  const question = nameKeyOf(name);
  cursor.begin(m, length, nameEnd + 4);
  const answers = readSection(m, length, answerCount(m));
  const authorities = answers === null ? null : readSection(m, length, authorityCount(m));
  if (answers === null || authorities === null) return null;
  let upperBits = 0;
  for (let i = additionalCount(m); i > 0; i--) {
    if (!cursor.next()) return null;
    if (cursor.type === RecordType.OPT) upperBits = m[cursor.ttlOffset];
  }
  const fullRcode = (upperBits << 4) | rcode(m);
  return { answers, authorities, rcode: fullRcode, question, questionEnd: nameEnd + 4 };
}

function readSection(m: Uint8Array, length: number, count: number): ReplyRecord[] | null {
  const records: ReplyRecord[] = [];
  for (let i = 0; i < count; i++) {
    if (!cursor.next()) return null;
    const { ownerOffset, type, rclass, rdataOffset, rdataLength } = cursor;
    const owner = nameKeyAt(m, length, ownerOffset);
    if (owner === null) return null;
    const isSignature = type === RecordType.RRSIG && rdataLength >= 2;
    records.push({
      owner,
      type,
      rclass,
      ownerOffset,
      rdataOffset,
      rdataLength,
      // RFC 2181 8: a TTL with its most significant bit set is zero.
      ttlSeconds: cursor.ttl > 0x7fffffff ? 0 : cursor.ttl,
      covers: isSignature ? readU16(m, rdataOffset) : 0,
    });
  }
  return records;
}
