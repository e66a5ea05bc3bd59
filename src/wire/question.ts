import { HEADER_BYTES, readU16 } from './header.ts';
import { hashSuffixes, MALFORMED, MAX_LABELS, NameScratch, readName } from './name.ts';

/** The question of a query (RFC 1035 4.1.2), as read from its message. Allocated once, reused for each query. */
export class Question {
  readonly name = new NameScratch();
  /** hashes[i]: keyed hash of the suffix that starts at label i; hashes[0] is the whole name's. */
  readonly hashes = new Int32Array(MAX_LABELS + 1);
  type = 0;
  qclass = 0;
  /** Offset of the first byte behind QCLASS. */
  end = 0;
}

/**
 * Reads the one question of message[0, length), which starts at byte 12. A pointer in it could only lead into the header
 * or to itself, so it makes the question malformed.
 * @returns false if it is malformed; the content of `out` is then undefined.
 */
export function parseQuestion(message: Uint8Array, length: number, seed: number, out: Question): boolean {
  const end = readName(message, length, HEADER_BYTES, out.name);
  if (end === MALFORMED || end !== HEADER_BYTES + out.name.length || end + 4 > length) return false;
  out.type = readU16(message, end);
  out.qclass = readU16(message, end + 2);
  out.end = end + 4;
  hashSuffixes(out.name, seed, out.hashes);
  return true;
}
