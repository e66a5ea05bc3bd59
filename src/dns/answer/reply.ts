import { CacheLookup, Counter, cacheCounter, Transport } from '../../metrics/index.ts';
import { CacheResult, EntryScratch, type EntryView, OVERTAKEN } from '../../resolver/cache/index.ts';
import type { Resolved } from '../../resolver/index.ts';
import {
  answerCount,
  authenticData,
  beginReply,
  COOKIE_OPTION_BYTES,
  checkingDisabled,
  ExtendedError,
  KEEPALIVE_OPTION_BYTES,
  movePointers,
  OPT_BYTES,
  optBytes,
  padMessage,
  Rcode,
  RESPONSE_BLOCK_BYTES,
  RecordType,
  setAdditionalCount,
  setAnswerCount,
  setAuthenticData,
  setAuthorityCount,
  setTruncated,
  writeCookieOption,
  writeKeepaliveOption,
  writeOpt,
} from '../../wire/index.ts';
import { QueryVerdict } from '../verdict.ts';
import { MAX_UDP_REPLY_BYTES, type QueryState, type TransportTraits } from './query-state.ts';

const resolvedEntry = new EntryScratch();
/** Address records whose owner is a pointer. */
const A_RECORD_BYTES = 16;
const AAAA_RECORD_BYTES = 28;

/** True for TCP and TLS. HTTP has its own ways, and RFC 7828 3.3.2 forbids the option over UDP. */
export const hasKeepalive = ({ transport }: TransportTraits): boolean =>
  transport === Transport.TCP || transport === Transport.TLS;

/**
 * Finishes a reply at `end`: adds OPT if the query had one (RFC 6891 6.1.1), with as many of these as fit: a cookie
 * if the query had one (RFC 7873 5.2), state.extendedError, and padding for padded queries over encrypted transports
 * (RFC 8467 4.1). Sets state.replyLength and state.rcode.
 * @param limit bytes that the reply may have
 */
export function finishReply(
  state: QueryState,
  message: Uint8Array,
  end: number,
  rcode: number,
  limit: number,
): void {
  const edns = state.edns;
  state.rcode = rcode;
  if (!edns.present || end + OPT_BYTES > limit) {
    state.replyLength = end;
    return;
  }
  const hasCookie = edns.cookieLength > 0 && end + OPT_BYTES + COOKIE_OPTION_BYTES <= limit;
  const room = hasCookie ? limit - COOKIE_OPTION_BYTES : limit;
  const error = end + optBytes(state.extendedError) <= room ? state.extendedError : ExtendedError.NONE;
  setAdditionalCount(message, 1);
  let length = writeOpt(message, end, MAX_UDP_REPLY_BYTES, rcode, edns.dnssecOk, error);
  if (hasCookie) {
    const { family, words } = state.source;
    if (state.cookies.complete(edns.cookie, edns.cookieLength, family, words)) state.hasValidCookie = true;
    length = writeCookieOption(message, end, length, edns.cookie);
  }
  const tellsIdleTime =
    edns.keepalive && state.hasKeepalive && state.keepaliveTimeout > 0 && state.profile !== 0;
  if (tellsIdleTime && length + KEEPALIVE_OPTION_BYTES <= limit) {
    length = writeKeepaliveOption(message, end, length, state.keepaliveTimeout);
  }
  if (edns.padded && state.encrypted) length = padMessage(message, end, length, RESPONSE_BLOCK_BYTES, limit);
  state.replyLength = length;
}

/**
 * Limits a finished reply over UDP, so that a forged source gains nothing (see AnswerLimit). Past the limit, and at once
 * for an address that was told and never proved, a steered answer keeps one relay, so that devices without TCP still work;
 * every other answer becomes an empty one with TC=1. Valid cookies are exempt. Needs state.profile.
 */
export function limitReply(
  state: QueryState,
  message: Uint8Array,
  verdict: QueryVerdict,
  traits: TransportTraits,
): void {
  const { answerLimit, source, replyLength } = state;
  if (!traits.spoofable || answerLimit.isFree(source.family, state.queryLength, replyLength)) return;
  if (state.hasValidCookie || (!isUnproved(state) && answerLimit.take(source, replyLength, state.clock)))
    return;
  state.counters.increment(Counter.ANSWERS_LIMITED);
  let { end } = state.question;
  if (verdict === QueryVerdict.STEERED && answerCount(message) > 0) {
    end += state.question.type === RecordType.A ? A_RECORD_BYTES : AAAA_RECORD_BYTES;
    setAnswerCount(message, 1);
  } else {
    setAnswerCount(message, 0);
    // A steered NODATA answer without its SOA is still one (RFC 2308 2.2), only uncached.
    if (verdict !== QueryVerdict.STEERED) setTruncated(message);
  }
  setAuthorityCount(message, 0);
  setAdditionalCount(message, 0);
  finishReply(state, message, end, state.rcode, state.replyLimit(traits));
}

/** Limits the reply to a deferred query: since `decide`, the state has served other sources. */
export function limitLateReply(
  state: QueryState,
  message: Uint8Array,
  verdict: QueryVerdict,
  traits: TransportTraits,
): void {
  if (traits.spoofable) state.profile = state.allowlist.lookup(state.source);
  limitReply(state, message, verdict, traits);
}

/** Notes a source that cannot be forged, if its address was only told. */
export function proveSource(state: QueryState): void {
  if (state.profile !== 0 && state.catalog.isTold(state.profile)) state.answerLimit.prove(state.source);
}

function isUnproved({ profile, catalog, answerLimit, source }: QueryState): boolean {
  return profile !== 0 && catalog.isTold(profile) && !answerLimit.isProved(source);
}

/** Offset that a reply's records may reach, leaving room for OPT. */
export function recordLimit(state: QueryState, traits: TransportTraits): number {
  if (!state.edns.present) return state.replyLimit(traits);
  const cookie = state.edns.cookieLength > 0 ? COOKIE_OPTION_BYTES : 0;
  return state.replyLimit(traits) - optBytes(state.extendedError) - cookie;
}

/** Answers from the cache if it has a fresh answer. @returns false, with the query unchanged, if not */
export function replyFromCache(state: QueryState, message: Uint8Array, traits: TransportTraits): boolean {
  const found = state.cache.find(
    state.question,
    state.edns.dnssecOk,
    checkingDisabled(message),
    state.nowSeconds,
  );
  if (found === CacheResult.FRESH && replyFromEntry(state, message, state.cache, traits)) {
    state.counters.increment(cacheCounter(CacheLookup.HIT));
    state.wantsRefresh = state.cache.takeRefresh();
    return true;
  }
  state.counters.increment(cacheCounter(CacheLookup.MISS));
  return false;
}

/** Answers with the resolver's result: an upstream's answer; without one, a stale answer (RFC 8767 4) or SERVFAIL. */
export function replyFromResolved(
  state: QueryState,
  message: Uint8Array,
  resolved: Resolved,
  traits: TransportTraits,
): QueryVerdict {
  const verdict = writeResolved(state, message, resolved, traits);
  limitLateReply(state, message, verdict, traits);
  return verdict;
}

function writeResolved(
  state: QueryState,
  message: Uint8Array,
  resolved: Resolved,
  traits: TransportTraits,
): QueryVerdict {
  state.encrypted = traits.encrypted;
  state.hasKeepalive = hasKeepalive(traits);
  if (resolved.entry !== null) {
    replyFromEntry(state, message, resolvedEntry.load(resolved.entry, state.nowSeconds), traits);
    return QueryVerdict.RESOLVED;
  }
  const found = state.cache.find(
    state.question,
    state.edns.dnssecOk,
    checkingDisabled(message),
    state.nowSeconds,
  );
  // Another answer was stored after this question was given up.
  if (found === CacheResult.FRESH && replyFromEntry(state, message, state.cache, traits))
    return QueryVerdict.CACHED;
  if (found === CacheResult.STALE) {
    state.extendedError =
      state.cache.rcode === Rcode.NXDOMAIN ? ExtendedError.STALE_NXDOMAIN : ExtendedError.STALE_ANSWER;
    if (replyFromEntry(state, message, state.cache, traits)) {
      state.counters.increment(cacheCounter(CacheLookup.STALE));
      return QueryVerdict.STALE;
    }
  }
  state.extendedError = resolved.extendedError;
  beginReply(message, resolved.rcode, 1);
  finishReply(state, message, state.question.end, resolved.rcode, state.replyLimit(traits));
  return QueryVerdict.SERVFAIL;
}

/** Answers with an entry made from an upstream's reply. */
export function replyFromAnswer(
  state: QueryState,
  message: Uint8Array,
  entry: EntryView,
  traits: TransportTraits,
): void {
  replyFromEntry(state, message, entry, traits);
  limitLateReply(state, message, QueryVerdict.RESOLVED, traits);
}

/** Writes an entry's answer, whole, or as many whole RRsets as fit with TC=1 (RFC 2181 9). */
function replyFromEntry(
  state: QueryState,
  message: Uint8Array,
  entry: EntryView,
  traits: TransportTraits,
): boolean {
  const limit = recordLimit(state, traits);
  let end = entry.render(message, state.question.end, limit, state.nowSeconds);
  const truncated = end < 0 && end !== OVERTAKEN;
  if (truncated) end = entry.renderTruncated(message, state.question.end, limit, state.nowSeconds);
  const records = entry.answerCount + entry.authorityCount;
  const isWhole =
    end !== OVERTAKEN &&
    (entry.deniedOffset === 0 || movePointers(message, state.question.end, end, records, entry.deniedOffset));
  if (!isWhole) {
    restoreQuery(state, message);
    return false;
  }
  // RFC 6840 5.8: AD is for clients that asked for it by AD or DO.
  const tellsAuthentic = entry.authenticData && (state.edns.dnssecOk || authenticData(message));
  beginReply(message, entry.rcode, 1);
  if (truncated) setTruncated(message);
  if (tellsAuthentic) setAuthenticData(message);
  setAnswerCount(message, entry.answerCount);
  setAuthorityCount(message, entry.authorityCount);
  finishReply(state, message, end, entry.rcode, state.replyLimit(traits));
  return true;
}

/**
 * Restores the query's OPT after an answer that was overtaken has been written over it. There is room, because one
 * stood there. Its options are lost, so the reply has neither cookie nor padding.
 */
function restoreQuery(state: QueryState, message: Uint8Array): void {
  setAnswerCount(message, 0);
  setAuthorityCount(message, 0);
  setAdditionalCount(message, state.edns.present ? 1 : 0);
  if (!state.edns.present) return;
  writeOpt(message, state.question.end, state.edns.udpSize, 0, state.edns.dnssecOk, ExtendedError.NONE);
}
