/**
 * The header of a DNS message (RFC 1035 4.1.1, AD and CD from RFC 4035 3.1.6 and 3.2.2), read and
 * written in place. Every function takes a message that starts at index 0 and holds at least
 * HEADER_BYTES; who calls has checked that.
 *
 *       0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
 *     +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
 *   0 |                      ID                       |
 *   2 |QR|   Opcode  |AA|TC|RD|RA| Z|AD|CD|   RCODE   |
 *   4 |                    QDCOUNT                    |
 *   6 |                    ANCOUNT                    |
 *   8 |                    NSCOUNT                    |
 *  10 |                    ARCOUNT                    |
 *     +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
 */

export const HEADER_BYTES = 12;

/** Bits of byte 2. */
export const QR_BIT = 0x80;
export const OPCODE_MASK = 0x78;
export const AA_BIT = 0x04;
export const TC_BIT = 0x02;
export const RD_BIT = 0x01;
/** Bits of byte 3. */
export const RA_BIT = 0x80;
export const AD_BIT = 0x20;
export const CD_BIT = 0x10;
export const RCODE_MASK = 0x0f;

export function readU16(m: Uint8Array, offset: number): number {
  return (m[offset] << 8) | m[offset + 1];
}

export function writeU16(m: Uint8Array, offset: number, value: number): void {
  m[offset] = value >>> 8;
  m[offset + 1] = value;
}

/** An unsigned 32-bit number in network order. */
export function readU32(m: Uint8Array, offset: number): number {
  return ((m[offset] << 24) | (m[offset + 1] << 16) | (m[offset + 2] << 8) | m[offset + 3]) >>> 0;
}

export function writeU32(m: Uint8Array, offset: number, value: number): void {
  m[offset] = value >>> 24;
  m[offset + 1] = value >>> 16;
  m[offset + 2] = value >>> 8;
  m[offset + 3] = value;
}

export const id = (m: Uint8Array): number => readU16(m, 0);
export const setId = (m: Uint8Array, value: number): void => writeU16(m, 0, value);

/** QR: whether the message is a response. */
export const isResponse = (m: Uint8Array): boolean => (m[2] & QR_BIT) !== 0;
export const opcode = (m: Uint8Array): number => (m[2] & OPCODE_MASK) >>> 3;
export const isAuthoritative = (m: Uint8Array): boolean => (m[2] & AA_BIT) !== 0;
export const isTruncated = (m: Uint8Array): boolean => (m[2] & TC_BIT) !== 0;
export const recursionDesired = (m: Uint8Array): boolean => (m[2] & RD_BIT) !== 0;
export const recursionAvailable = (m: Uint8Array): boolean => (m[3] & RA_BIT) !== 0;
export const authenticData = (m: Uint8Array): boolean => (m[3] & AD_BIT) !== 0;
export const checkingDisabled = (m: Uint8Array): boolean => (m[3] & CD_BIT) !== 0;
/** The four bits of the header; an OPT record may extend them. */
export const rcode = (m: Uint8Array): number => m[3] & RCODE_MASK;

export const questionCount = (m: Uint8Array): number => readU16(m, 4);
export const answerCount = (m: Uint8Array): number => readU16(m, 6);
export const authorityCount = (m: Uint8Array): number => readU16(m, 8);
export const additionalCount = (m: Uint8Array): number => readU16(m, 10);
export const setQuestionCount = (m: Uint8Array, value: number): void => writeU16(m, 4, value);
export const setAnswerCount = (m: Uint8Array, value: number): void => writeU16(m, 6, value);
export const setAuthorityCount = (m: Uint8Array, value: number): void => writeU16(m, 8, value);
export const setAdditionalCount = (m: Uint8Array, value: number): void => writeU16(m, 10, value);
