import { readU16, writeU16 } from './header.ts';
import { RecordType } from './types.ts';

const POINTER_BITS = 0xc0;
const MAX_POINTER = 0x3fff;
const FIXED_BYTES = 10;

/**
 * Adds `by` to the target of each compression pointer in the `count` records at message[offset, end), which were written
 * for a question `by` bytes shorter. Expects compressed names in owners and in SOA only, as in every negative answer.
 * @returns false if a record is cut short or a target would exceed 14 bits.
 */
export function movePointers(
  message: Uint8Array,
  offset: number,
  end: number,
  count: number,
  by: number,
): boolean {
  let at = offset;
  for (let i = 0; i < count; i++) {
    at = moveName(message, at, end, by);
    if (at < 0 || at + FIXED_BYTES > end) return false;
    const rdata = at + FIXED_BYTES;
    const next = rdata + readU16(message, at + 8);
    if (next > end) return false;
    if (readU16(message, at) === RecordType.SOA) {
      const mailbox = moveName(message, rdata, next, by);
      if (mailbox < 0 || moveName(message, mailbox, next, by) < 0) return false;
    }
    at = next;
  }
  return at === end;
}

/** Adjusts one name's pointer. @returns the offset behind the name, or -1 if it runs past `end`. */
function moveName(message: Uint8Array, offset: number, end: number, by: number): number {
  let at = offset;
  while (at < end) {
    const length = message[at];
    if (length === 0) return at + 1;
    if (length >= POINTER_BITS) {
      if (at + 2 > end) return -1;
      const target = (readU16(message, at) & MAX_POINTER) + by;
      if (target > MAX_POINTER) return -1;
      writeU16(message, at, (POINTER_BITS << 8) | target);
      return at + 2;
    }
    at += 1 + length;
  }
  return -1;
}
