import { readU16, writeU16 } from './header.ts';
import { RecordType } from './types.ts';

const POINTER_BITS = 0xc0;
const MAX_POINTER = 0x3fff;
const FIXED_BYTES = 10;

/**
 * Moves where compression pointers lead by `by` bytes, in `count` records that stand at m[offset, end) and were written
 * behind a question that was shorter by as much. Names are compressed in owners and in SOA alone, as in every negative answer.
 * @returns false where the records are not whole, or a pointer would not reach.
 */
export function movePointers(m: Uint8Array, offset: number, end: number, count: number, by: number): boolean {
  let at = offset;
  for (let i = 0; i < count; i++) {
    at = moveName(m, at, end, by);
    if (at < 0 || at + FIXED_BYTES > end) return false;
    const rdata = at + FIXED_BYTES;
    const next = rdata + readU16(m, at + 8);
    if (next > end) return false;
    if (readU16(m, at) === RecordType.SOA) {
      const mailbox = moveName(m, rdata, next, by);
      if (mailbox < 0 || moveName(m, mailbox, next, by) < 0) return false;
    }
    at = next;
  }
  return at === end;
}

/** @returns the offset behind the name, or -1. */
function moveName(m: Uint8Array, offset: number, end: number, by: number): number {
  let at = offset;
  while (at < end) {
    const length = m[at];
    if (length === 0) return at + 1;
    if (length >= POINTER_BITS) {
      if (at + 2 > end) return -1;
      const target = (readU16(m, at) & MAX_POINTER) + by;
      if (target > MAX_POINTER) return -1;
      writeU16(m, at, (POINTER_BITS << 8) | target);
      return at + 2;
    }
    at += 1 + length;
  }
  return -1;
}
