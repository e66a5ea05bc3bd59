import { readU16, readU32 } from './header.ts';
import { MALFORMED, skipName } from './name.ts';

const FIXED_BYTES = 10;

/** Walks the records of a message one after the other (RFC 1035 4.1.3). Allocated once; `begin` starts over. */
export class RecordCursor {
  private message: Uint8Array = new Uint8Array(0);
  private length = 0;
  private at = 0;
  /** Set once a record runs past the message or has a malformed owner name. */
  malformed = false;
  ownerOffset = 0;
  type = 0;
  /** Raw CLASS field: for OPT, the sender's payload size. */
  rclass = 0;
  /** Raw TTL field, unsigned 32-bit. */
  ttl = 0;
  ttlOffset = 0;
  rdataOffset = 0;
  rdataLength = 0;
  /** Offset behind the record. */
  end = 0;

  /** Starts at `offset` of message[0, length). */
  begin(message: Uint8Array, length: number, offset: number): void {
    this.message = message;
    this.length = length;
    this.at = offset;
    this.end = offset;
    this.malformed = false;
  }

  /** Reads the next record's fixed fields. @returns false if it is malformed. */
  next(): boolean {
    const owner = this.at;
    const fixed = skipName(this.message, this.length, owner);
    if (fixed === MALFORMED || fixed + FIXED_BYTES > this.length) return this.fail();
    const rdataLength = readU16(this.message, fixed + 8);
    const end = fixed + FIXED_BYTES + rdataLength;
    if (end > this.length) return this.fail();
    this.ownerOffset = owner;
    this.type = readU16(this.message, fixed);
    this.rclass = readU16(this.message, fixed + 2);
    this.ttlOffset = fixed + 4;
    this.ttl = readU32(this.message, fixed + 4);
    this.rdataOffset = fixed + FIXED_BYTES;
    this.rdataLength = rdataLength;
    this.end = end;
    this.at = end;
    return true;
  }

  private fail(): boolean {
    this.malformed = true;
    return false;
  }
}
