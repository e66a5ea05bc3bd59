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
import { answerAny, answerSpecial, answerSteered } from './local-answer.ts';
import { answerOpen, answerTestZone, answerTruncated, OpenOutcome } from './open-answer.ts';
import { OpenName } from './open-names.ts';
import type { QueryState, TransportTraits } from './query-state.ts';
import { finishReply, replyFromCache } from './reply.ts';
import { SpecialUse } from './special-names.ts';

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
 * @param m the query in m[0, length), with room behind it for the longest reply of the transport; the reply
 *   is written over it and s.replyLength set, 0 where none is sent. A deferred query stays as it is.
 * @param s with the source and the time set
 */
export function decide(s: QueryState, m: Uint8Array, length: number, traits: TransportTraits): Outcome {
  s.replyLength = 0;
  s.wantsRefresh = false;
  s.extendedError = ExtendedError.NONE;
  s.edns.present = false;
  s.encrypted = traits.encrypted;
  if (length < HEADER_BYTES || isResponse(m)) return QueryVerdict.DROPPED;

  const source = s.source;
  s.profile =
    s.family === 4
      ? s.allowlist.lookup4(source[0])
      : s.allowlist.lookup6(source[0], source[1], source[2], source[3]);
  if (s.profile === 0) {
    const open = s.openNames.isAny ? answerOpen(s, m, length, traits) : OpenOutcome.CLOSED;
    if (open === OpenOutcome.ANSWERED) return QueryVerdict.BOOTSTRAP;
    if (open === OpenOutcome.DEFERRED) return DEFERRED;
    if (s.dropsUnregistered) return QueryVerdict.IGNORED;
    if (traits.spoofable && !s.rateLimiter.take(s.family, source, s.clock) && !s.provesSource(m, length)) {
      return QueryVerdict.RATELIMITED;
    }
    if (open === OpenOutcome.SPENT && traits.spoofable) {
      answerTruncated(s, m, length);
      return QueryVerdict.BOOTSTRAP;
    }
  }

  if (opcode(m) !== Opcode.QUERY) return fail(s, m, Rcode.NOTIMP, QueryVerdict.NOTIMP);
  if (questionCount(m) !== 1 || !parseQuestion(m, length, s.seed, s.question)) {
    return fail(s, m, Rcode.FORMERR, QueryVerdict.FORMERR);
  }
  const ednsRcode = s.edns.parse(m, length, s.question.end);
  if (s.profile === 0) return refuseUnregistered(s, m, length, traits);
  if (ednsRcode === Rcode.FORMERR) {
    s.edns.present = false;
    return fail(s, m, Rcode.FORMERR, QueryVerdict.FORMERR);
  }
  if (ednsRcode === Rcode.BADVERS) return finish(s, m, Rcode.BADVERS, QueryVerdict.BADVERS, traits);

  const question = s.question;
  const type = question.type;
  if (question.qclass !== RecordClass.IN || type === RecordType.AXFR || type === RecordType.IXFR) {
    return finish(s, m, Rcode.REFUSED, QueryVerdict.FORBIDDEN, traits);
  }
  if (type === RecordType.OPT || type === 0) return finish(s, m, Rcode.FORMERR, QueryVerdict.FORMERR, traits);
  if (type === RecordType.ANY) return answerAny(s, m, traits);
  if (type >= RecordType.META_FIRST && type < RecordType.ANY) {
    return finish(s, m, Rcode.NOTIMP, QueryVerdict.NOTIMP, traits);
  }

  const open = s.openNames.isAny ? s.openNames.match(question) : 0;
  if (open > OpenName.BOOTSTRAP) return answerTestZone(s, m, open, traits);
  const service = s.catalog.match(question);
  if (service >= 0) {
    const list = s.catalog.list(s.profile, service);
    if (list !== NO_LIST && isSteeredType(type)) return answerSteered(s, m, list, traits);
  }
  const special = open === OpenName.BOOTSTRAP ? 0 : s.specialNames.match(question);
  if (special !== 0 && !(special === SpecialUse.NAME_ERROR_BUT_DS && type === RecordType.DS)) {
    return answerSpecial(s, m, special, traits);
  }

  // Without RD the question is what the cache holds, which is nobody's business.
  if (!recursionDesired(m)) return finish(s, m, Rcode.REFUSED, QueryVerdict.FORBIDDEN, traits);
  return replyFromCache(s, m, traits) ? QueryVerdict.CACHED : DEFERRED;
}

/** Types that would lead past the relay, or to it. All others are resolved as usual. */
function isSteeredType(type: number): boolean {
  return (
    type === RecordType.A || type === RecordType.AAAA || type === RecordType.HTTPS || type === RecordType.SVCB
  );
}

/** A bare header: what cannot be read is not echoed, and no OPT can be relied upon. */
function fail(s: QueryState, m: Uint8Array, rcode: number, verdict: QueryVerdict): QueryVerdict {
  beginReply(m, rcode, 0);
  s.rcode = rcode;
  s.replyLength = HEADER_BYTES;
  return verdict;
}

/** A reply without records. */
function finish(
  s: QueryState,
  m: Uint8Array,
  rcode: number,
  verdict: QueryVerdict,
  traits: TransportTraits,
): QueryVerdict {
  beginReply(m, rcode, 1);
  finishReply(s, m, s.question.end, rcode, s.replyLimit(traits));
  return verdict;
}

/**
 * REFUSED; where the source may be forged, never longer than the query: the extended error, then OPT as a
 * whole, are left out where they would make it so.
 */
function refuseUnregistered(
  s: QueryState,
  m: Uint8Array,
  length: number,
  traits: TransportTraits,
): QueryVerdict {
  beginReply(m, Rcode.REFUSED, 1);
  s.extendedError = ExtendedError.PROHIBITED;
  finishReply(s, m, s.question.end, Rcode.REFUSED, traits.spoofable ? length : traits.maxReplyBytes);
  return QueryVerdict.REFUSED;
}
