import { NO_LIST } from '../catalog/lookup/index.ts';
import { QueryVerdict } from '../metrics/index.ts';
import {
  beginReply,
  ExtendedError,
  HEADER_BYTES,
  isResponse,
  Opcode,
  opcode,
  parseQuestion,
  questionCount,
  Rcode,
  RecordClass,
  RecordType,
  recursionDesired,
} from '../wire/index.ts';
import { answerAny, answerSpecial, answerSteered } from './answer/local.ts';
import { answerOpen, answerTestZone, answerTruncated, OpenOutcome } from './answer/open.ts';
import { OpenName } from './answer/open-names.ts';
import type { QueryState, TransportTraits } from './answer/query-state.ts';
import { finishReply, replyFromCache } from './answer/reply.ts';
import { SpecialUse } from './answer/special.ts';

/** What decide returns, besides a QueryVerdict, for a query that an upstream has to answer. */
export const DEFERRED = -1;
export type Outcome = QueryVerdict | typeof DEFERRED;

/**
 * What a query gets: the whole order, and the only place where it is decided. All listeners call it.
 *
 *   1 header   what is no query is dropped, what cannot be read is FORMERR or NOTIMP
 *   2 gate     a source that is not registered is REFUSED, at a limited rate unless its cookie proves that it is no
 *              forged one, but for the open names (open-names.ts)
 *   3 steer    the self-test's names are answered here; a catalog name gets relay addresses; special-use names a local answer
 *   4 cache    an answer that is held and fresh
 *   5 resolve  DEFERRED: the caller asks the resolver
 *
 * @param message the query in message[0, length), with room behind it for the longest reply of the transport; the reply
 *   is written over it and state.replyLength set, 0 where none is sent. A deferred query stays as it is.
 * @param state with the source and the time set
 */
export function decide(
  state: QueryState,
  message: Uint8Array,
  length: number,
  traits: TransportTraits,
): Outcome {
  state.replyLength = 0;
  state.wantsRefresh = false;
  state.extendedError = ExtendedError.NONE;
  state.edns.present = false;
  state.encrypted = traits.encrypted;
  if (length < HEADER_BYTES || isResponse(message)) return QueryVerdict.DROPPED;

  const { source } = state;
  state.profile = state.allowlist.lookup(source);
  if (state.profile === 0) {
    const open = state.openNames.isAny ? answerOpen(state, message, length, traits) : OpenOutcome.CLOSED;
    if (open === OpenOutcome.ANSWERED) return QueryVerdict.BOOTSTRAP;
    if (open === OpenOutcome.DEFERRED) return DEFERRED;
    if (state.dropsUnregistered) return QueryVerdict.IGNORED;
    if (
      traits.spoofable &&
      !state.rateLimiter.take(source.family, source.words, state.clock) &&
      !state.provesSource(message, length)
    ) {
      return QueryVerdict.RATELIMITED;
    }
    if (open === OpenOutcome.SPENT && traits.spoofable) {
      answerTruncated(state, message, length);
      return QueryVerdict.BOOTSTRAP;
    }
  }

  if (opcode(message) !== Opcode.QUERY) return fail(state, message, Rcode.NOTIMP, QueryVerdict.NOTIMP);
  if (questionCount(message) !== 1 || !parseQuestion(message, length, state.seed, state.question)) {
    return fail(state, message, Rcode.FORMERR, QueryVerdict.FORMERR);
  }
  const ednsRcode = state.edns.parse(message, length, state.question.end);
  if (state.profile === 0) return refuseUnregistered(state, message, length, traits);
  if (ednsRcode === Rcode.FORMERR) {
    state.edns.present = false;
    return fail(state, message, Rcode.FORMERR, QueryVerdict.FORMERR);
  }
  if (ednsRcode === Rcode.BADVERS) return finish(state, message, Rcode.BADVERS, QueryVerdict.BADVERS, traits);

  const question = state.question;
  const type = question.type;
  if (question.qclass !== RecordClass.IN || type === RecordType.AXFR || type === RecordType.IXFR) {
    return finish(state, message, Rcode.REFUSED, QueryVerdict.FORBIDDEN, traits);
  }
  if (type === RecordType.OPT || type === 0)
    return finish(state, message, Rcode.FORMERR, QueryVerdict.FORMERR, traits);
  if (type === RecordType.ANY) return answerAny(state, message, traits);
  if (type >= RecordType.META_FIRST && type < RecordType.ANY) {
    return finish(state, message, Rcode.NOTIMP, QueryVerdict.NOTIMP, traits);
  }

  const open = state.openNames.isAny ? state.openNames.match(question) : 0;
  if (open > OpenName.BOOTSTRAP) return answerTestZone(state, message, open, traits);
  const service = state.catalog.match(question);
  if (service >= 0) {
    const list = state.catalog.list(state.profile, service);
    if (list !== NO_LIST && isSteeredType(type)) return answerSteered(state, message, list, traits);
  }
  const special = open === OpenName.BOOTSTRAP ? 0 : state.specialNames.match(question);
  if (special !== 0 && !(special === SpecialUse.NAME_ERROR_BUT_DS && type === RecordType.DS)) {
    return answerSpecial(state, message, special, traits);
  }

  // Without RD the question is what the cache holds, which is nobody's business.
  if (!recursionDesired(message))
    return finish(state, message, Rcode.REFUSED, QueryVerdict.FORBIDDEN, traits);
  return replyFromCache(state, message, traits) ? QueryVerdict.CACHED : DEFERRED;
}

/** Types that would lead past the relay, or to it. All others are resolved as usual. */
function isSteeredType(type: number): boolean {
  return (
    type === RecordType.A || type === RecordType.AAAA || type === RecordType.HTTPS || type === RecordType.SVCB
  );
}

/** A bare header: what cannot be read is not echoed, and no OPT can be relied upon. */
function fail(state: QueryState, message: Uint8Array, rcode: number, verdict: QueryVerdict): QueryVerdict {
  beginReply(message, rcode, 0);
  state.rcode = rcode;
  state.replyLength = HEADER_BYTES;
  return verdict;
}

/** A reply without records. */
function finish(
  state: QueryState,
  message: Uint8Array,
  rcode: number,
  verdict: QueryVerdict,
  traits: TransportTraits,
): QueryVerdict {
  beginReply(message, rcode, 1);
  finishReply(state, message, state.question.end, rcode, state.replyLimit(traits));
  return verdict;
}

/**
 * REFUSED; where the source may be forged, never longer than the query: the extended error, then OPT as a
 * whole, are left out where they would make it so.
 */
function refuseUnregistered(
  state: QueryState,
  message: Uint8Array,
  length: number,
  traits: TransportTraits,
): QueryVerdict {
  beginReply(message, Rcode.REFUSED, 1);
  state.extendedError = ExtendedError.PROHIBITED;
  finishReply(
    state,
    message,
    state.question.end,
    Rcode.REFUSED,
    traits.spoofable ? length : traits.maxReplyBytes,
  );
  return QueryVerdict.REFUSED;
}
