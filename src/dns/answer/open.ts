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
} from '../../wire/index.ts';
import { QueryVerdict } from '../verdict.ts';
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
  state: QueryState,
  message: Uint8Array,
  length: number,
  traits: TransportTraits,
): OpenOutcome {
  const question = state.question;
  if (opcode(message) !== Opcode.QUERY || questionCount(message) !== 1) return OpenOutcome.CLOSED;
  if (!parseQuestion(message, length, state.seed, question) || question.qclass !== RecordClass.IN) {
    return OpenOutcome.CLOSED;
  }
  const name = state.openNames.match(question);
  if (name === OpenName.NONE || name > OpenName.REGISTERED) return OpenOutcome.CLOSED;
  // Who is not registered gets no encrypted connection; one from before the registration ended is not kept for this.
  if (name === OpenName.BOOTSTRAP && traits.encrypted) return OpenOutcome.CLOSED;
  if (!isOpenType(question.type) || state.edns.parse(message, length, question.end) !== Rcode.NOERROR) {
    return OpenOutcome.CLOSED;
  }
  if (!state.openBudget.take(state.source.family, state.source.words, traits.spoofable, state.clock))
    return OpenOutcome.SPENT;
  if (name !== OpenName.BOOTSTRAP) {
    answerTestZone(state, message, name, traits);
    return OpenOutcome.ANSWERED;
  }
  if (!recursionDesired(message)) return OpenOutcome.CLOSED;
  if (replyFromCache(state, message, traits)) return OpenOutcome.ANSWERED;
  return state.openBudget.takeDeferral(traits.spoofable, state.clock)
    ? OpenOutcome.DEFERRED
    : OpenOutcome.SPENT;
}

/** What it takes to reach the name; other types are of use to those who look for large answers. */
function isOpenType(type: number): boolean {
  return type === RecordType.A || type === RecordType.AAAA || type === RecordType.HTTPS;
}

/** An empty answer that sends the client to TCP, where a source is not forged and has a budget of its own. */
export function answerTruncated(state: QueryState, message: Uint8Array, length: number): void {
  beginReply(message, Rcode.NOERROR, 1);
  setTruncated(message);
  finishReply(state, message, state.question.end, Rcode.NOERROR, length);
}

/**
 * A name of the self-test's zone, answered here: the control's address, or that there is none.
 *
 * @param name what OpenNames.match found
 */
export function answerTestZone(
  state: QueryState,
  message: Uint8Array,
  name: number,
  traits: TransportTraits,
): QueryVerdict {
  const exists =
    name === OpenName.REACHED ||
    name === OpenName.NODE ||
    (name === OpenName.REGISTERED && state.profile !== 0);
  const rcode = exists ? Rcode.NOERROR : Rcode.NXDOMAIN;
  beginReply(message, rcode, 1);
  let end = state.question.end;
  if (exists && name !== OpenName.NODE) end = writeControlAddresses(state, message, traits);
  const isNegative = end === state.question.end;
  if (isNegative) {
    setAuthorityCount(message, 1);
    const zone = state.question.name.labelOffsets[state.openNames.zoneLabel];
    end = writeNegativeSoa(message, end, zone, TEST_TTL_SECONDS);
  }
  finishReply(state, message, end, rcode, state.replyLimit(traits));
  return isNegative ? QueryVerdict.NEGATIVE_LOCAL : QueryVerdict.LOCAL;
}

/** @returns the offset behind them. */
function writeControlAddresses(state: QueryState, message: Uint8Array, traits: TransportTraits): number {
  const { type, end: start } = state.question;
  if (type !== RecordType.A && type !== RecordType.AAAA) return start;
  const size = type === RecordType.A ? 4 : 16;
  const addresses = size === 4 ? state.openNames.addresses4 : state.openNames.addresses6;
  const limit = recordLimit(state, traits);
  let end = start;
  let count = 0;
  while (count * size < addresses.length && end + RECORD_FIXED_BYTES + size <= limit) {
    end = writeAddressRecord(message, end, TEST_TTL_SECONDS, addresses, count * size, size);
    count++;
  }
  setAnswerCount(message, count);
  return end;
}
