import {
  AA_BIT,
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

/** A compression pointer to the question's name, at byte 12. */
const POINTER_TO_QUESTION = 0xc000 | HEADER_BYTES;
const RECORD_FIXED_BYTES = 12;
const NEGATIVE_SOA_BYTES = RECORD_FIXED_BYTES + 22;

/**
 * Turns the query in `message` into the start of its reply: QR=1, RA=1, AA=0, TC=0, AD=0, opcode, RD and CD as in the
 * query, the rcode, all counts zero but QDCOUNT. ID and question stay, so the client's case is kept (RFC 4343, 0x20).
 * @param questions 1 to echo the question, 0 if it could not be read.
 */
export function beginReply(message: Uint8Array, rcode: number, questions: 0 | 1): void {
  message[2] = QR_BIT | (message[2] & (OPCODE_MASK | RD_BIT));
  message[3] = RA_BIT | (message[3] & CD_BIT) | (rcode & RCODE_MASK);
  message[4] = 0;
  message[5] = questions;
  message[6] = message[7] = message[8] = message[9] = message[10] = message[11] = 0;
}

/** Sets AD; only for an answer whose upstream set it. */
export function setAuthenticData(message: Uint8Array): void {
  message[3] |= AD_BIT;
}

/** Sets AA; only for names that this server is authoritative for. */
export function setAuthoritative(message: Uint8Array): void {
  message[2] |= AA_BIT;
}

/** Sets TC: the client has to ask again over TCP. */
export function setTruncated(message: Uint8Array): void {
  message[2] |= TC_BIT;
}

/**
 * Writes an address record whose owner is the question's name.
 * @param size 4 for an A record, 16 for AAAA; the bytes are addresses[from, from + size).
 * @returns the offset behind it.
 */
export function writeAddressRecord(
  message: Uint8Array,
  offset: number,
  ttlSeconds: number,
  addresses: Uint8Array,
  from: number,
  size: 4 | 16,
): number {
  writeU16(message, offset, POINTER_TO_QUESTION);
  writeU16(message, offset + 2, size === 4 ? RecordType.A : RecordType.AAAA);
  writeU16(message, offset + 4, RecordClass.IN);
  writeU32(message, offset + 6, ttlSeconds);
  writeU16(message, offset + 10, size);
  for (let i = 0; i < size; i++) message[offset + RECORD_FIXED_BYTES + i] = addresses[from + i];
  return offset + RECORD_FIXED_BYTES + size;
}

/**
 * Writes the SOA of a negative answer of our own (RFC 2308 2.2, 5). Its owner is the suffix of the question's name from
 * byte `suffixOffset` of that name on. MNAME and RNAME are the root; MINIMUM equals TTL, so that clients cache the answer
 * for exactly that long.
 * @returns the offset behind it.
 */
export function writeNegativeSoa(
  message: Uint8Array,
  offset: number,
  suffixOffset: number,
  ttlSeconds: number,
): number {
  writeU16(message, offset, POINTER_TO_QUESTION + suffixOffset);
  writeU16(message, offset + 2, RecordType.SOA);
  writeU16(message, offset + 4, RecordClass.IN);
  writeU32(message, offset + 6, ttlSeconds);
  writeU16(message, offset + 10, 22);
  message[offset + 12] = 0;
  message[offset + 13] = 0;
  writeU32(message, offset + 14, 1);
  writeU32(message, offset + 18, 3600);
  writeU32(message, offset + 22, 600);
  writeU32(message, offset + 26, 86400);
  writeU32(message, offset + 30, ttlSeconds);
  return offset + NEGATIVE_SOA_BYTES;
}

/** Writes a record of class IN whose owner is the question's name. @returns the offset behind it. */
export function writeRecord(
  message: Uint8Array,
  offset: number,
  type: number,
  ttlSeconds: number,
  rdata: Uint8Array,
): number {
  writeU16(message, offset, POINTER_TO_QUESTION);
  writeU16(message, offset + 2, type);
  writeU16(message, offset + 4, RecordClass.IN);
  writeU32(message, offset + 6, ttlSeconds);
  writeU16(message, offset + 10, rdata.length);
  message.set(rdata, offset + RECORD_FIXED_BYTES);
  return offset + RECORD_FIXED_BYTES + rdata.length;
}

/** Writes the HINFO that answers ANY: CPU "RFC8482", no OS (RFC 8482 4.2). @returns the offset behind it. */
export function writeAnyHinfo(message: Uint8Array, offset: number, ttlSeconds: number): number {
  writeU16(message, offset, POINTER_TO_QUESTION);
  writeU16(message, offset + 2, RecordType.HINFO);
  writeU16(message, offset + 4, RecordClass.IN);
  writeU32(message, offset + 6, ttlSeconds);
  writeU16(message, offset + 10, RFC8482_HINFO.length);
  message.set(RFC8482_HINFO, offset + RECORD_FIXED_BYTES);
  return offset + RECORD_FIXED_BYTES + RFC8482_HINFO.length;
}

const RFC8482_HINFO = Uint8Array.of(7, 0x52, 0x46, 0x43, 0x38, 0x34, 0x38, 0x32, 0);
