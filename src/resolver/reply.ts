import {
  additionalCount,
  answerCount,
  authorityCount,
  HEADER_BYTES,
  isAuthoritative,
  isResponse,
  lowerCase,
  opcode,
  questionCount,
  Rcode,
  RecordCursor,
  RecordType,
  rcode,
  recursionAvailable,
} from '../wire/index.ts';
import type { UpstreamQuery } from './query.ts';

/** Relation of a message to the query with its ID. */
export const Match = {
  /** Not a reply to this question. */
  NONE: 0,
  EXACT: 1,
  /** The question in another case than it was asked in (0x20). */
  CASE_DIFFERS: 2,
  /** An error code without the question, as from a server that could not read the query. */
  ERROR_ONLY: 3,
  /** An answer without the question: nothing shows what it answers. */
  QUESTIONLESS: 4,
} as const;

/** Compares the echoed question with the one that was asked: name, type and class (RFC 5452 9.1). */
export function matchReply(m: Uint8Array, length: number, query: UpstreamQuery): number {
  if (length < HEADER_BYTES || !isResponse(m) || opcode(m) !== 0) return Match.NONE;
  if (questionCount(m) === 0) return isBareError(m) ? Match.ERROR_ONLY : Match.QUESTIONLESS;
  if (questionCount(m) !== 1) return Match.NONE;
  return compareQuestion(m, length, query);
}

/** True for an error code without question and records. */
export function isBareError(m: Uint8Array): boolean {
  const code = rcode(m);
  const isError = code !== Rcode.NOERROR && code !== Rcode.NXDOMAIN;
  return isError && questionCount(m) === 0 && answerCount(m) === 0 && authorityCount(m) === 0;
}

/**
 * True if the message is about the question of `query`, whatever its ID, as forged replies with guessed IDs
 * are.
 */
export function concernsQuestion(m: Uint8Array, length: number, query: UpstreamQuery): boolean {
  return compareQuestion(m, length, query) !== Match.NONE;
}

function compareQuestion(m: Uint8Array, length: number, query: UpstreamQuery): number {
  const end = query.questionEnd;
  if (length < end) return Match.NONE;
  const asked = query.bytes;
  const nameEnd = end - 4;
  let match: number = Match.EXACT;
  for (let at = HEADER_BYTES; at < nameEnd; at++) {
    if (m[at] === asked[at]) continue;
    if (lowerCase(m[at]) !== lowerCase(asked[at])) return Match.NONE;
    match = Match.CASE_DIFFERS;
  }
  for (let at = nameEnd; at < end; at++) {
    if (m[at] !== asked[at]) return Match.NONE;
  }
  return match;
}

/** Walks through the records of a reply and summarizes them. Reusable. */
export class ReplySurvey {
  private readonly cursor = new RecordCursor();
  hasOpt = false;
  /** All twelve bits (RFC 6891 6.1.3). */
  rcode = 0;
  /** True for a referral, or nothing, instead of an answer: the server does not recurse for us. */
  isLame = false;
  /** True if it is lame without naming other servers: perhaps NODATA from a server that leaves RA and the SOA out. */
  isEmpty = false;

  /**
   * @param offset end of the question
   * @returns false if a record is malformed
   */
  read(m: Uint8Array, length: number, offset: number): boolean {
    this.hasOpt = false;
    this.rcode = rcode(m);
    const inAnswerAndAuthority = answerCount(m) + authorityCount(m);
    const count = inAnswerAndAuthority + additionalCount(m);
    const cursor = this.cursor;
    cursor.begin(m, length, offset);
    let hasSoa = false;
    for (let i = 0; i < count; i++) {
      if (!cursor.next()) return false;
      if (cursor.type === RecordType.SOA) hasSoa = true;
      if (cursor.type !== RecordType.OPT) continue;
      if (this.hasOpt || i < inAnswerAndAuthority) return false;
      this.hasOpt = true;
      this.rcode |= m[cursor.ttlOffset] << 4;
    }
    this.isLame =
      this.rcode === Rcode.NOERROR &&
      answerCount(m) === 0 &&
      !hasSoa &&
      !recursionAvailable(m) &&
      !isAuthoritative(m);
    this.isEmpty = this.isLame && authorityCount(m) === 0;
    return true;
  }
}
