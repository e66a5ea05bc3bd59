import {
  answerCount,
  authorityCount,
  HEADER_BYTES,
  MALFORMED,
  NameScratch,
  questionCount,
  RecordCursor,
  RecordType,
  readName,
} from '../../wire/index.ts';

const cursor = new RecordCursor();
const name = new NameScratch();

/**
 * Computes the freshness lifetime of `reply[0, length)` in seconds (RFC 8484 5.1): the lowest TTL of the answer; without
 * an answer that of the SOA; without an SOA 0.
 */
export function maxAgeSeconds(reply: Uint8Array, length: number): number {
  let offset = HEADER_BYTES;
  if (questionCount(reply) === 1) {
    const end = readName(reply, length, HEADER_BYTES, name);
    if (end === MALFORMED) return 0;
    offset = end + 4;
  }
  const answers = answerCount(reply);
  const count = answers > 0 ? answers : authorityCount(reply);
  let least = -1;
  cursor.begin(reply, length, offset);
  for (let i = 0; i < count && cursor.next(); i++) {
    if (answers === 0 && cursor.type !== RecordType.SOA) continue;
    if (least < 0 || cursor.ttl < least) least = cursor.ttl;
  }
  return Math.max(least, 0);
}
