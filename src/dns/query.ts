import { NO_LIST } from '../catalog/lookup/index.ts';
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
import { finishReply, hasKeepalive, limitReply, proveSource, replyFromCache } from './answer/reply.ts';
import { SpecialUse } from './answer/special.ts';
import { DEFERRED, type Outcome, QueryVerdict } from './verdict.ts';

/**
 * Decides what a query gets; called by every listener. This is the only place with the order of the steps:
 *
 *   1 no query    under 12 bytes or QR=1: dropped
 *   2 gate        unregistered source, without a live private name: open names are answered within their budget; all else is
 *                 dropped, rate-limited or, after step 4, REFUSED. The gate looks at the source first, and at the rest of the header later, because a
 *                 flood of unregistered queries must be cheap to drop.
 *   3 header      unknown opcode NOTIMP; not exactly one readable question FORMERR. Before REFUSED, because the refusal
 *                 echoes the question.
 *   4 refusal     of the unregistered, even with malformed EDNS: a refused source learns nothing else
 *   5 EDNS, type  FORMERR, BADVERS, and types that nobody gets
 *   6 steer       the test zone's names are answered here; catalog names get relay addresses; special-use names a local
 *                 answer
 *   7 RD=0        REFUSED, because cache contents are private. After the steering, which depends on nobody's queries.
 *   8 cache       a fresh answer
 *   9 resolve     DEFERRED: the caller asks an upstream
 *  10 limit       a UDP answer over 1.5 times the query is taken from the prefix's answer limit, and cut past it
 *
 * An unregistered source's question is parsed up to three times (open names, cookie, refusal). Most such queries are
 * dropped before the second time, and open names are off by default.
 *
 * @param state with source and time set
 * @param message the query in message[0, length), with room behind it for the transport's longest reply. The reply is
 *   written over it and its length to state.replyLength, 0 for no reply. A deferred query stays as it is.
 */
export function decide(
  state: QueryState,
  message: Uint8Array,
  length: number,
  traits: TransportTraits,
): Outcome {
  const outcome = decideUnlimited(state, message, length, traits);
  if (outcome !== DEFERRED && state.replyLength > 0) limitReply(state, message, outcome, traits);
  if (!traits.spoofable || state.hasValidCookie) proveSource(state);
  return outcome;
}

function decideUnlimited(
  state: QueryState,
  message: Uint8Array,
  length: number,
  traits: TransportTraits,
): Outcome {
  state.queryLength = length;
  state.hasValidCookie = false;
  state.replyLength = 0;
  state.wantsRefresh = false;
  state.extendedError = ExtendedError.NONE;
  state.edns.present = false;
  state.encrypted = traits.encrypted;
  state.hasKeepalive = hasKeepalive(traits);
  if (length < HEADER_BYTES || isResponse(message)) return QueryVerdict.DROPPED;

  const { source } = state;
  state.profile = state.allowlist.lookup(source);
  const isRefused = state.profile === 0 && traits.isGuest !== true;
  if (isRefused) {
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
  if (isRefused) return refuseUnregistered(state, message, length, traits);
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
  // With DO the answer must validate, so the upstream is asked for one that is signed (RFC 8482 4.2).
  if (type === RecordType.ANY && !state.edns.dnssecOk) return answerAny(state, message, traits);
  if (type >= RecordType.META_FIRST && type < RecordType.ANY) {
    return finish(state, message, Rcode.NOTIMP, QueryVerdict.NOTIMP, traits);
  }

  const open = state.openNames.isAny ? state.openNames.match(question) : OpenName.NONE;
  if (open > OpenName.BOOTSTRAP) return answerTestZone(state, message, open, traits);
  const service = state.catalog.match(question);
  if (service >= 0) {
    const list = state.catalog.list(state.profile, service);
    if (list !== NO_LIST && isSteeredType(type)) return answerSteered(state, message, list, traits);
    // The upstream's answer could hold the origin's addresses.
    if (list !== NO_LIST && type === RecordType.ANY) return answerAny(state, message, traits);
  }
  const special = open === OpenName.BOOTSTRAP ? SpecialUse.NONE : state.specialNames.match(question);
  const isZoneDs =
    special === SpecialUse.NAME_ERROR_BUT_DS &&
    type === RecordType.DS &&
    state.specialNames.matchedLabel === 0;
  if (special !== SpecialUse.NONE && !isZoneDs) {
    return answerSpecial(state, message, special, traits);
  }

  if (!recursionDesired(message))
    return finish(state, message, Rcode.REFUSED, QueryVerdict.FORBIDDEN, traits);
  return replyFromCache(state, message, traits) ? QueryVerdict.CACHED : DEFERRED;
}

/** Types that lead to the relay or past it. All others resolve as usual. */
function isSteeredType(type: number): boolean {
  return (
    type === RecordType.A || type === RecordType.AAAA || type === RecordType.HTTPS || type === RecordType.SVCB
  );
}

/** Replies with a bare header: the question is unreadable, so neither it nor OPT is echoed. */
function fail(state: QueryState, message: Uint8Array, rcode: number, verdict: QueryVerdict): QueryVerdict {
  beginReply(message, rcode, 0);
  state.rcode = rcode;
  state.replyLength = HEADER_BYTES;
  return verdict;
}

/** Replies without records. */
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
 * Replies REFUSED. To a source that may be forged the reply is never longer than the query: first the extended error,
 * then OPT is left out to make it fit.
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
