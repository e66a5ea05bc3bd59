import { decimalDigits, putDecimal } from '../decimal.ts';
import { DATE_BYTES } from '../http-date.ts';
import type { Refusal } from '../request.ts';
import { DNS_MESSAGE } from '../request-head.ts';

const REASONS: Readonly<Record<Refusal, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
};

const BEFORE_DATE = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: ${DNS_MESSAGE}\r\ndate: `);
const BEFORE_AGE = Buffer.from('\r\ncache-control: private, max-age=');
const BEFORE_LENGTH = Buffer.from('\r\ncontent-length: ');
const END = Buffer.from('\r\n\r\n');
const END_AND_CLOSE = Buffer.from('\r\nconnection: close\r\n\r\n');
const MAX_DIGITS = 10;

export const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');

/** Longest head of an answer. */
export const ANSWER_HEAD_BYTES =
  BEFORE_DATE.length +
  DATE_BYTES +
  (BEFORE_AGE.length + MAX_DIGITS) +
  (BEFORE_LENGTH.length + MAX_DIGITS) +
  END_AND_CLOSE.length;

/** Writes the head of an answer. @returns the offset behind it */
export function writeAnswerHead(
  into: Uint8Array,
  at: number,
  date: Uint8Array,
  maxAgeSeconds: number,
  length: number,
  closes: boolean,
): number {
  let to = put(into, at, BEFORE_DATE);
  to = put(into, to, date);
  to = put(into, to, BEFORE_AGE);
  to = putDecimal(into, to, maxAgeSeconds, decimalDigits(maxAgeSeconds));
  to = put(into, to, BEFORE_LENGTH);
  to = putDecimal(into, to, length, decimalDigits(length));
  return put(into, to, closes ? END_AND_CLOSE : END);
}

/** Makes a refusal, which has no body. 405 lists the allowed methods (RFC 9110 15.5.6). */
export function refusalOf(status: Refusal, date: Uint8Array, closes: boolean): Uint8Array {
  const allow = status === 405 ? 'allow: GET, POST\r\n' : '';
  const line = Buffer.from(`HTTP/1.1 ${status} ${REASONS[status]}\r\n${allow}content-length: 0\r\ndate: `);
  return Buffer.concat([line, date, closes ? END_AND_CLOSE : END]);
}

function put(into: Uint8Array, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) into[at + i] = bytes[i]!;
  return at + bytes.length;
}
