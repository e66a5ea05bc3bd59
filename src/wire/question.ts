import { HEADER_BYTES, readU16 } from './header.ts';
import { hashSuffixes, MALFORMED, MAX_LABELS, NameScratch, readName } from './name.ts';

/** The question of a query (RFC 1035 4.1.2), read from its message. Made once and filled again. */
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
 * Reads the one question of m[0, length), which stands at 12. A pointer in it could only lead into the
 * header or to itself, so a question with one is malformed.
 * @returns false where it is malformed; `out` then holds nothing of use.
 */
export function parseQuestion(m: Uint8Array, length: number, seed: number, out: Question): boolean {
  const end = readName(m, length, HEADER_BYTES, out.name);
  if (end === MALFORMED || end !== HEADER_BYTES + out.name.length || end + 4 > length) return false;
  out.type = readU16(m, end);
  out.qclass = readU16(m, end + 2);
  out.end = end + 4;
  hashSuffixes(out.name, seed, out.hashes);
  return true;
}
