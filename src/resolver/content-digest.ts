import { answerCount, RecordCursor, rcode } from '../wire/index.ts';

const cursor = new RecordCursor();

/**
 * Sums up a reply's answer so that two replies to one question can be compared: rcode and records, in any order and with
 * any TTL. The records must have been checked.
 *
 * @param offset end of the question
 */
export function contentDigest(message: Uint8Array, length: number, offset: number): string {
  const records: string[] = [];
  cursor.begin(message, length, offset);
  for (let count = answerCount(message); count > 0 && cursor.next(); count--) {
    const { type, rdataOffset, end } = cursor;
    records.push(`${type} ${Buffer.from(message.subarray(rdataOffset, end)).toString('latin1')}`);
  }
  return [rcode(message), ...records.sort()].join('\n');
}
