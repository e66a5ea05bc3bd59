import { QueryVerdict } from '../metrics/index.ts';
import {
  beginReply,
  Opcode,
  opcode,
  parseQuestion,
  questionCount,
  Rcode,
  RecordClass,
  RecordType,
  recursionDesired,
  setAnswerCount,
  setAuthorityCount,
  setTruncated,
  writeAddressRecord,
  writeNegativeSoa,
} from '../wire/index.ts';
import { OpenName } from './open-names.ts';
import type { QueryState, TransportTraits } from './query-state.ts';
import { finishReply, recordLimit, replyFromCache } from './reply.ts';

/** What an unregistered source's question for an open name comes to. */
export const OpenOutcome = {
  /** Not for an open name, or in no form that is answered: the gate's refusal. */
  CLOSED: 0,
  /** For one, and the budget is used up. */
  SPENT: 1,
  ANSWERED: 2,
  /** An upstream has to be asked. */
  DEFERRED: 3,
} as const;
export type OpenOutcome = (typeof OpenOutcome)[keyof typeof OpenOutcome];

const RECORD_FIXED_BYTES = 12;
/** Nothing of the test is to be remembered by anyone. */
const TEST_TTL_SECONDS = 0;

/** Answers an unregistered source's question for an open name, within the budget. */
export function answerOpen(
  s: QueryState,
  m: Uint8Array,
  length: number,
  traits: TransportTraits,
): OpenOutcome {
  const question = s.question;
  if (opcode(m) !== Opcode.QUERY || questionCount(m) !== 1) return OpenOutcome.CLOSED;
  if (!parseQuestion(m, length, s.seed, question) || question.qclass !== RecordClass.IN) {
    return OpenOutcome.CLOSED;
  }
  const name = s.openNames.match(question);
  if (name === 0 || name > OpenName.REGISTERED) return OpenOutcome.CLOSED;
  // Who is not registered gets no encrypted connection; one from before the registration ended is not kept for this.
  if (name === OpenName.BOOTSTRAP && traits.encrypted) return OpenOutcome.CLOSED;
  if (!isOpenType(question.type) || s.edns.parse(m, length, question.end) !== Rcode.NOERROR) {
    return OpenOutcome.CLOSED;
  }
  if (!s.openBudget.take(s.family, s.source, traits.spoofable, s.clock)) return OpenOutcome.SPENT;
  if (name !== OpenName.BOOTSTRAP) {
    answerTestZone(s, m, name, traits);
    return OpenOutcome.ANSWERED;
  }
  if (!recursionDesired(m)) return OpenOutcome.CLOSED;
  if (replyFromCache(s, m, traits)) return OpenOutcome.ANSWERED;
  return s.openBudget.takeDeferral(traits.spoofable, s.clock) ? OpenOutcome.DEFERRED : OpenOutcome.SPENT;
}

/** What it takes to reach the name; other types are of use to those who look for large answers. */
function isOpenType(type: number): boolean {
  return type === RecordType.A || type === RecordType.AAAA || type === RecordType.HTTPS;
}

/** An empty answer that sends the client to TCP, where a source is not forged and has a budget of its own. */
export function answerTruncated(s: QueryState, m: Uint8Array, length: number): void {
  beginReply(m, Rcode.NOERROR, 1);
  setTruncated(m);
  finishReply(s, m, s.question.end, Rcode.NOERROR, length);
}

/**
 * A name of the self-test's zone, answered here: the control's address, or that there is none.
 *
 * @param name what OpenNames.match found
 */
export function answerTestZone(
  s: QueryState,
  m: Uint8Array,
  name: number,
  traits: TransportTraits,
): QueryVerdict {
  const exists =
    name === OpenName.REACHED || name === OpenName.NODE || (name === OpenName.REGISTERED && s.profile !== 0);
  const rcode = exists ? Rcode.NOERROR : Rcode.NXDOMAIN;
  beginReply(m, rcode, 1);
  let end = s.question.end;
  if (exists && name !== OpenName.NODE) end = writeControlAddresses(s, m, traits);
  const isNegative = end === s.question.end;
  if (isNegative) {
    setAuthorityCount(m, 1);
    const zone = s.question.name.labelOffsets[s.openNames.zoneLabel];
    end = writeNegativeSoa(m, end, zone, TEST_TTL_SECONDS);
  }
  finishReply(s, m, end, rcode, s.replyLimit(traits));
  return isNegative ? QueryVerdict.NEGATIVE_LOCAL : QueryVerdict.LOCAL;
}

/** @returns the offset behind them. */
function writeControlAddresses(s: QueryState, m: Uint8Array, traits: TransportTraits): number {
  const { type, end: start } = s.question;
  if (type !== RecordType.A && type !== RecordType.AAAA) return start;
  const size = type === RecordType.A ? 4 : 16;
  const addresses = size === 4 ? s.openNames.addresses4 : s.openNames.addresses6;
  const limit = recordLimit(s, traits);
  let end = start;
  let count = 0;
  while (count * size < addresses.length && end + RECORD_FIXED_BYTES + size <= limit) {
    end = writeAddressRecord(m, end, TEST_TTL_SECONDS, addresses, count * size, size);
    count++;
  }
  setAnswerCount(m, count);
  return end;
}
