import { decimalDigits, putDecimal } from '../decimal.ts';
import { DATE_BYTES } from '../http-date.ts';
import type { Refusal } from '../request.ts';
import { DNS_MESSAGE } from '../request-head.ts';

/** Indexes into the static table (RFC 7541 appendix A). */
const ALLOW = 22;
const CACHE_CONTROL = 24;
const CONTENT_LENGTH = 28;
const CONTENT_TYPE = 31;
const DATE = 33;
const STATUS = 8;
/** Indexed fields (RFC 7541 6.1): name and value from the static table. */
const STATUS_200 = 0x88;
const WHOLE_STATUS: Readonly<Record<number, number>> = { 400: 0x8c, 404: 0x8d };

const LITERAL_BITS = 4;
const MAX_LENGTH_DIGITS = 5;
const MAX_AGE_DIGITS = 10;

/** Encodes a field as a literal without indexing (RFC 7541 6.2.2), with its name from the static table. */
const literal = (index: number, value: string): Buffer =>
  Buffer.concat([literalName(index), Buffer.from([value.length]), Buffer.from(value)]);

function literalName(index: number): Buffer {
  const largest = (1 << LITERAL_BITS) - 1;
  return index < largest ? Buffer.from([index]) : Buffer.from([largest, index - largest]);
}

/** The constant part of an answer's header block, up to the date. */
const BEFORE_DATE = Buffer.concat([
  Buffer.from([STATUS_200]),
  literal(CONTENT_TYPE, DNS_MESSAGE),
  literalName(DATE),
  Buffer.from([DATE_BYTES]),
]);
const AGE_NAME = literalName(CACHE_CONTROL);
const AGE = Buffer.from('private, max-age=');
const LENGTH_NAME = literalName(CONTENT_LENGTH);

/** Longest header block of an answer. */
export const ANSWER_BLOCK_BYTES =
  BEFORE_DATE.length +
  DATE_BYTES +
  (AGE_NAME.length + 1 + AGE.length + MAX_AGE_DIGITS) +
  (LENGTH_NAME.length + 1 + MAX_LENGTH_DIGITS);

/**
 * Writes the header block of an answer. Uses no dynamic table, so the same bytes serve every connection.
 * `Cache-Control: private`, because the answer depends on the account's choices.
 * @returns the offset behind it
 */
export function writeAnswerBlock(
  into: Uint8Array,
  at: number,
  date: Uint8Array,
  maxAgeSeconds: number,
  length: number,
): number {
  let to = put(into, at, BEFORE_DATE);
  to = put(into, to, date);
  to = put(into, to, AGE_NAME);
  const digits = decimalDigits(maxAgeSeconds);
  into[to++] = AGE.length + digits;
  to = put(into, to, AGE);
  to = putDecimal(into, to, maxAgeSeconds, digits);
  to = put(into, to, LENGTH_NAME);
  const lengthDigits = decimalDigits(length);
  into[to++] = lengthDigits;
  return putDecimal(into, to, length, lengthDigits);
}

/** Longest header block of a refusal. */
export const REFUSAL_BLOCK_BYTES = 64;

/**
 * Writes the header block of a refusal, which has no body. 405 lists the allowed methods (RFC 9110 15.5.6).
 * @returns the offset behind it
 */
export function writeRefusalBlock(into: Uint8Array, at: number, date: Uint8Array, status: Refusal): number {
  const whole = WHOLE_STATUS[status];
  let to = at;
  if (whole !== undefined) into[to++] = whole;
  else to = put(into, to, literal(STATUS, String(status)));
  if (status === 405) to = put(into, to, literal(ALLOW, 'GET, POST'));
  to = put(into, to, literal(CONTENT_LENGTH, '0'));
  to = put(into, to, literalName(DATE));
  into[to++] = DATE_BYTES;
  return put(into, to, date);
}

function put(into: Uint8Array, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) into[at + i] = bytes[i]!;
  return at + bytes.length;
}
