/**
 * The header of a DNS message (RFC 1035 4.1.1, AD and CD from RFC 4035 3.1.6 and 3.2.2), read and written in place. Every
 * message starts at index 0; the caller has checked that it holds at least HEADER_BYTES.
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

export function readU16(message: Uint8Array, offset: number): number {
  return (message[offset] << 8) | message[offset + 1];
}

export function writeU16(message: Uint8Array, offset: number, value: number): void {
  message[offset] = value >>> 8;
  message[offset + 1] = value;
}

/** Reads an unsigned 32-bit number in network order. */
export function readU32(message: Uint8Array, offset: number): number {
  return (
    ((message[offset] << 24) |
      (message[offset + 1] << 16) |
      (message[offset + 2] << 8) |
      message[offset + 3]) >>>
    0
  );
}

export function writeU32(message: Uint8Array, offset: number, value: number): void {
  message[offset] = value >>> 24;
  message[offset + 1] = value >>> 16;
  message[offset + 2] = value >>> 8;
  message[offset + 3] = value;
}

export const id = (message: Uint8Array): number => readU16(message, 0);
export const setId = (message: Uint8Array, value: number): void => writeU16(message, 0, value);

/** True if QR is set. */
export const isResponse = (message: Uint8Array): boolean => (message[2] & QR_BIT) !== 0;
export const opcode = (message: Uint8Array): number => (message[2] & OPCODE_MASK) >>> 3;
export const isAuthoritative = (message: Uint8Array): boolean => (message[2] & AA_BIT) !== 0;
export const isTruncated = (message: Uint8Array): boolean => (message[2] & TC_BIT) !== 0;
export const recursionDesired = (message: Uint8Array): boolean => (message[2] & RD_BIT) !== 0;
export const recursionAvailable = (message: Uint8Array): boolean => (message[3] & RA_BIT) !== 0;
export const authenticData = (message: Uint8Array): boolean => (message[3] & AD_BIT) !== 0;
export const checkingDisabled = (message: Uint8Array): boolean => (message[3] & CD_BIT) !== 0;
/** The header's four bits; an OPT record may extend them. */
export const rcode = (message: Uint8Array): number => message[3] & RCODE_MASK;

export const questionCount = (message: Uint8Array): number => readU16(message, 4);
export const answerCount = (message: Uint8Array): number => readU16(message, 6);
export const authorityCount = (message: Uint8Array): number => readU16(message, 8);
export const additionalCount = (message: Uint8Array): number => readU16(message, 10);
export const setQuestionCount = (message: Uint8Array, value: number): void => writeU16(message, 4, value);
export const setAnswerCount = (message: Uint8Array, value: number): void => writeU16(message, 6, value);
export const setAuthorityCount = (message: Uint8Array, value: number): void => writeU16(message, 8, value);
export const setAdditionalCount = (message: Uint8Array, value: number): void => writeU16(message, 10, value);
