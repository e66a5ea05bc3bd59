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
import { answerDelegated } from './challenge.ts';
import { writeOwnRelays } from './local.ts';
import { OpenName } from './open-names.ts';
import type { QueryState, TransportTraits } from './query-state.ts';
import { finishReply, recordLimit, replyFromCache } from './reply.ts';

/** Outcome of an unregistered source's question for an open name. */
export const OpenOutcome = {
  /** Another name, or a query that is not answered: the gate refuses it. */
  CLOSED: 0,
  /** An open name, but the budget is used up. */
  SPENT: 1,
  ANSWERED: 2,
  /** An upstream is needed. */
  DEFERRED: 3,
} as const;
export type OpenOutcome = (typeof OpenOutcome)[keyof typeof OpenOutcome];

const RECORD_FIXED_BYTES = 12;
/** Test answers must not be cached. */
const TEST_TTL_SECONDS = 0;

/** Answers an unregistered source's question for an open name, within OpenBudget. */
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
  if (isDelegated(state, name, message)) {
    if (state.edns.parse(message, length, question.end) !== Rcode.NOERROR) return OpenOutcome.CLOSED;
    if (!state.openBudget.takeChallenge(traits.spoofable, state.clock)) return OpenOutcome.SPENT;
    answerDelegated(state, message, name, traits);
    return OpenOutcome.ANSWERED;
  }
  if (name === OpenName.NONE || name > OpenName.RELAYED) return OpenOutcome.CLOSED;
  // Bootstrap names are for UDP and TCP: an unregistered source gets no new encrypted connection, and an old one must
  // not last for this.
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

/**
 * True for names that are answered with authority: ACME's to everyone, the rest of the test zone to resolvers, which do not ask for
 * recursion. A device that asks somebody else's resolver must not find the self-test's names.
 */
function isDelegated(state: QueryState, name: number, message: Uint8Array): boolean {
  if (state.openNames.nameServer === null) return false;
  if (name === OpenName.CHALLENGE) return true;
  return name > OpenName.BOOTSTRAP && !recursionDesired(message);
}

/** Types that help to reach the name. Others only serve to get large answers. */
function isOpenType(type: number): boolean {
  return type === RecordType.A || type === RecordType.AAAA || type === RecordType.HTTPS;
}

/** Sends the client to TCP, where sources are not forged and have a budget of their own. */
export function answerTruncated(state: QueryState, message: Uint8Array, length: number): void {
  beginReply(message, Rcode.NOERROR, 1);
  setTruncated(message);
  finishReply(state, message, state.question.end, Rcode.NOERROR, length);
}

/**
 * Answers a name of the test zone: the control's address, the relays of the account's region, NODATA or NXDOMAIN.
 * @param name result of OpenNames.match
 */
export function answerTestZone(
  state: QueryState,
  message: Uint8Array,
  name: number,
  traits: TransportTraits,
): QueryVerdict {
  if (name === OpenName.CHALLENGE) return answerDelegated(state, message, name, traits);
  const exists =
    name === OpenName.REACHED ||
    name === OpenName.NODE ||
    ((name === OpenName.REGISTERED || name === OpenName.RELAYED) && state.profile !== 0);
  const rcode = exists ? Rcode.NOERROR : Rcode.NXDOMAIN;
  beginReply(message, rcode, 1);
  let end = state.question.end;
  if (exists && name === OpenName.RELAYED) end = writeOwnRelays(state, message, traits, TEST_TTL_SECONDS);
  else if (exists && name !== OpenName.NODE) end = writeControlAddresses(state, message, traits);
  const isNegative = end === state.question.end;
  if (isNegative) {
    setAuthorityCount(message, 1);
    const zone = state.question.name.labelOffsets[state.openNames.zoneLabel];
    end = writeNegativeSoa(message, end, zone, TEST_TTL_SECONDS);
  }
  finishReply(state, message, end, rcode, state.replyLimit(traits));
  return isNegative ? QueryVerdict.NEGATIVE_LOCAL : QueryVerdict.LOCAL;
}

/** @returns offset behind the records */
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
