/**
 * An entry: one answer as bytes, the same in plain memory and in the cache. It starts at a multiple of 8
 * bytes and fills a multiple of 8. Numbers are in the machine's order, as only this process reads them.
 *
 *     byte 0   u32  size in units of 8 bytes (in the cache, the top bit marks a gap: see cache.ts)
 *           4   u32  hash of the key
 *           8   u32  when it was stored, seconds of the process' clock
 *          12   u32  when it expires: stored + the least TTL in it
 *          16   u16  class of the question
 *          18   u16  type of the question; DENIAL_TYPE where the name does not exist
 *          20   u8   KeyFlag bits: with name, type and class the key
 *          21   u8   rcode
 *          22   u8   1: authentic data
 *          23   u8   length of the question's name
 *          24   u16  records in the answer section
 *          26   u16  records in the authority section
 *          28   u16  cuts
 *          30   u16  length of the body
 *          32   u16  for each record: offset of its TTL in the body
 *               u16  for each cut: offset in the body where an RRset (with its RRSIGs) ends, but for the last
 *                    the question's name in lower case, then the body
 *
 * The body is what follows the question in a reply: records whose compression pointers count on a
 * question of this length at offset 12.
 */
export const UNIT_BYTES = 8;
export const ENTRY_HEADER_BYTES = 32;
/** Upper bound: a message's 64 KiB, and four bytes for each of its records of at least 11 bytes. */
export const MAX_ENTRY_BYTES = 0x18000;

/** Indexes of 32-bit words, 16-bit halves and bytes from the entry's start. */
export const SIZE_WORD = 0;
export const HASH_WORD = 1;
export const STORED_WORD = 2;
export const EXPIRES_WORD = 3;
export const CLASS_HALF = 8;
export const TYPE_HALF = 9;
export const KEY_FLAGS_BYTE = 20;
export const RCODE_BYTE = 21;
export const AUTHENTIC_BYTE = 22;
export const NAME_LENGTH_BYTE = 23;
export const ANSWER_COUNT_HALF = 12;
export const AUTHORITY_COUNT_HALF = 13;
export const CUT_COUNT_HALF = 14;
export const BODY_LENGTH_HALF = 15;
export const TABLE_HALF = 16;
