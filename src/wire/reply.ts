import {
  AD_BIT,
  CD_BIT,
  HEADER_BYTES,
  OPCODE_MASK,
  QR_BIT,
  RA_BIT,
  RCODE_MASK,
  RD_BIT,
  TC_BIT,
  writeU16,
  writeU32,
} from './header.ts';
import { RecordClass, RecordType } from './types.ts';

/** A compression pointer to the question's name, which stands at 12. */
const POINTER_TO_QUESTION = 0xc000 | HEADER_BYTES;
const RECORD_FIXED_BYTES = 12;
const NEGATIVE_SOA_BYTES = RECORD_FIXED_BYTES + 22;

/**
 * Turns the query in m into the start of its reply: QR=1, RA=1, AA=0, TC=0, AD=0, opcode, RD and CD as
 * asked, the rcode, all counts zero but QDCOUNT. The ID and the question stay as they are, so the case
 * that the client chose is kept (RFC 4343, 0x20).
 * @param questions 1 to echo the question, 0 where it could not be read.
 */
export function beginReply(m: Uint8Array, rcode: number, questions: 0 | 1): void {
  m[2] = QR_BIT | (m[2] & (OPCODE_MASK | RD_BIT));
  m[3] = RA_BIT | (m[3] & CD_BIT) | (rcode & RCODE_MASK);
  m[4] = 0;
  m[5] = questions;
  m[6] = m[7] = m[8] = m[9] = m[10] = m[11] = 0;
}

/** Sets AD, which is passed on from an upstream and never invented. */
export function setAuthenticData(m: Uint8Array): void {
  m[3] |= AD_BIT;
}

/** Sets TC: there is more, to be asked for over TCP. */
export function setTruncated(m: Uint8Array): void {
  m[2] |= TC_BIT;
}

/**
 * Writes an address record whose owner is the question's name.
 * @param size 4 for an A record, 16 for AAAA; the bytes are addresses[from, from + size).
 * @returns the offset behind it.
 */
export function writeAddressRecord(
  m: Uint8Array,
  offset: number,
  ttlSeconds: number,
  addresses: Uint8Array,
  from: number,
  size: 4 | 16,
): number {
  writeU16(m, offset, POINTER_TO_QUESTION);
  writeU16(m, offset + 2, size === 4 ? RecordType.A : RecordType.AAAA);
  writeU16(m, offset + 4, RecordClass.IN);
  writeU32(m, offset + 6, ttlSeconds);
  writeU16(m, offset + 10, size);
  for (let i = 0; i < size; i++) m[offset + RECORD_FIXED_BYTES + i] = addresses[from + i];
  return offset + RECORD_FIXED_BYTES + size;
}

/**
 * Writes the SOA of a negative answer that is made here (RFC 2308 2.2, 5). Its owner is the suffix of the
 * question's name that starts at byte `suffixOffset` of that name; MNAME and RNAME are the root, MINIMUM
 * and TTL the same, so that a client remembers the answer for just that long.
 * @returns the offset behind it.
 */
export function writeNegativeSoa(
  m: Uint8Array,
  offset: number,
  suffixOffset: number,
  ttlSeconds: number,
): number {
  writeU16(m, offset, POINTER_TO_QUESTION + suffixOffset);
  writeU16(m, offset + 2, RecordType.SOA);
  writeU16(m, offset + 4, RecordClass.IN);
  writeU32(m, offset + 6, ttlSeconds);
  writeU16(m, offset + 10, 22);
  m[offset + 12] = 0;
  m[offset + 13] = 0;
  writeU32(m, offset + 14, 1);
  writeU32(m, offset + 18, 3600);
  writeU32(m, offset + 22, 600);
  writeU32(m, offset + 26, 86400);
  writeU32(m, offset + 30, ttlSeconds);
  return offset + NEGATIVE_SOA_BYTES;
}

/** Writes a record of class IN whose owner is the question's name. @returns the offset behind it. */
export function writeRecord(
  m: Uint8Array,
  offset: number,
  type: number,
  ttlSeconds: number,
  rdata: Uint8Array,
): number {
  writeU16(m, offset, POINTER_TO_QUESTION);
  writeU16(m, offset + 2, type);
  writeU16(m, offset + 4, RecordClass.IN);
  writeU32(m, offset + 6, ttlSeconds);
  writeU16(m, offset + 10, rdata.length);
  m.set(rdata, offset + RECORD_FIXED_BYTES);
  return offset + RECORD_FIXED_BYTES + rdata.length;
}

/** The HINFO of an answer to ANY: CPU "RFC8482", no OS (RFC 8482 4.2). @returns the offset behind it. */
export function writeAnyHinfo(m: Uint8Array, offset: number, ttlSeconds: number): number {
  writeU16(m, offset, POINTER_TO_QUESTION);
  writeU16(m, offset + 2, RecordType.HINFO);
  writeU16(m, offset + 4, RecordClass.IN);
  writeU32(m, offset + 6, ttlSeconds);
  writeU16(m, offset + 10, RFC8482_HINFO.length);
  m.set(RFC8482_HINFO, offset + RECORD_FIXED_BYTES);
  return offset + RECORD_FIXED_BYTES + RFC8482_HINFO.length;
}

const RFC8482_HINFO = Uint8Array.of(7, 0x52, 0x46, 0x43, 0x38, 0x34, 0x38, 0x32, 0);
