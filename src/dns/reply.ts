import { CacheResult as CacheCount, cacheCounter, QueryVerdict } from '../metrics/index.ts';
import { CacheResult, EntryScratch, type EntryView, OVERTAKEN } from '../resolver/cache/index.ts';
import type { Resolved } from '../resolver/index.ts';
import {
  authenticData,
  beginReply,
  COOKIE_OPTION_BYTES,
  checkingDisabled,
  ExtendedError,
  movePointers,
  OPT_BYTES,
  optBytes,
  padMessage,
  Rcode,
  RESPONSE_BLOCK_BYTES,
  setAdditionalCount,
  setAnswerCount,
  setAuthenticData,
  setAuthorityCount,
  setTruncated,
  writeCookieOption,
  writeOpt,
} from '../wire/index.ts';
import { MAX_UDP_REPLY_BYTES, type QueryState, type TransportTraits } from './query-state.ts';

const resolvedEntry = new EntryScratch();

/**
 * Ends a reply at `end`: OPT where the query had one (RFC 6891 6.1.1), with what fits of: a cookie where the query had one
 * (RFC 7873 5.2), s.extendedError, and padding where the query had it and only lengths can be seen (RFC 8467 4.1).
 * Sets s.replyLength and s.rcode.
 * @param limit bytes that the reply may have
 */
export function finishReply(s: QueryState, m: Uint8Array, end: number, rcode: number, limit: number): void {
  const edns = s.edns;
  s.rcode = rcode;
  if (!edns.present || end + OPT_BYTES > limit) {
    s.replyLength = end;
    return;
  }
  const hasCookie = edns.cookieLength > 0 && end + OPT_BYTES + COOKIE_OPTION_BYTES <= limit;
  const room = hasCookie ? limit - COOKIE_OPTION_BYTES : limit;
  const error = end + optBytes(s.extendedError) <= room ? s.extendedError : ExtendedError.NONE;
  setAdditionalCount(m, 1);
  let length = writeOpt(m, end, MAX_UDP_REPLY_BYTES, rcode, edns.dnssecOk, error);
  if (hasCookie) {
    s.cookies.complete(edns.cookie, edns.cookieLength, s.family, s.source);
    length = writeCookieOption(m, end, length, edns.cookie);
  }
  if (edns.padded && s.encrypted) length = padMessage(m, end, length, RESPONSE_BLOCK_BYTES, limit);
  s.replyLength = length;
}

/** The offset that records in a reply may reach: OPT is kept behind them. */
export function recordLimit(s: QueryState, traits: TransportTraits): number {
  if (!s.edns.present) return s.replyLimit(traits);
  const cookie = s.edns.cookieLength > 0 ? COOKIE_OPTION_BYTES : 0;
  return s.replyLimit(traits) - optBytes(s.extendedError) - cookie;
}

/** Answers from the cache where it holds a fresh answer. @returns false where not; the query stays as it was. */
export function replyFromCache(s: QueryState, m: Uint8Array, traits: TransportTraits): boolean {
  const found = s.cache.find(s.question, s.edns.dnssecOk, checkingDisabled(m), s.nowSeconds);
  if (found === CacheResult.FRESH && replyFromEntry(s, m, s.cache, traits)) {
    s.counters.increment(cacheCounter(CacheCount.HIT));
    s.wantsRefresh = s.cache.takeRefresh();
    return true;
  }
  s.counters.increment(cacheCounter(CacheCount.MISS));
  return false;
}

/**
 * Answers with what the resolver gave: an upstream's answer, or, where none was to be had, an answer of the
 * cache past its time (RFC 8767 4) or SERVFAIL.
 */
export function replyFromResolved(
  s: QueryState,
  m: Uint8Array,
  resolved: Resolved,
  traits: TransportTraits,
): QueryVerdict {
  s.encrypted = traits.encrypted;
  if (resolved.entry !== null) {
    replyFromEntry(s, m, resolvedEntry.load(resolved.entry, s.nowSeconds), traits);
    return QueryVerdict.RESOLVED;
  }
  const found = s.cache.find(s.question, s.edns.dnssecOk, checkingDisabled(m), s.nowSeconds);
  // Fresh: another answer came while this one was given up.
  if (found === CacheResult.FRESH && replyFromEntry(s, m, s.cache, traits)) return QueryVerdict.CACHED;
  if (found === CacheResult.STALE) {
    s.extendedError =
      s.cache.rcode === Rcode.NXDOMAIN ? ExtendedError.STALE_NXDOMAIN : ExtendedError.STALE_ANSWER;
    if (replyFromEntry(s, m, s.cache, traits)) {
      s.counters.increment(cacheCounter(CacheCount.STALE));
      return QueryVerdict.STALE;
    }
  }
  s.extendedError = resolved.extendedError;
  beginReply(m, resolved.rcode, 1);
  finishReply(s, m, s.question.end, resolved.rcode, s.replyLimit(traits));
  return QueryVerdict.SERVFAIL;
}

/** Writes an entry's answer: whole, or as many whole RRsets as fit with TC=1 (RFC 2181 9). */
function replyFromEntry(s: QueryState, m: Uint8Array, entry: EntryView, traits: TransportTraits): boolean {
  const limit = recordLimit(s, traits);
  let end = entry.render(m, s.question.end, limit, s.nowSeconds);
  const truncated = end < 0 && end !== OVERTAKEN;
  if (truncated) end = entry.renderTruncated(m, s.question.end, limit, s.nowSeconds);
  const records = entry.answerCount + entry.authorityCount;
  const isWhole =
    end !== OVERTAKEN &&
    (entry.deniedOffset === 0 || movePointers(m, s.question.end, end, records, entry.deniedOffset));
  if (!isWhole) {
    restoreQuery(s, m);
    return false;
  }
  // RFC 6840 5.8: AD is for those who asked for it, by AD or DO.
  const tellsAuthentic = entry.authenticData && (s.edns.dnssecOk || authenticData(m));
  beginReply(m, entry.rcode, 1);
  if (truncated) setTruncated(m);
  if (tellsAuthentic) setAuthenticData(m);
  setAnswerCount(m, entry.answerCount);
  setAuthorityCount(m, entry.authorityCount);
  finishReply(s, m, end, entry.rcode, s.replyLimit(traits));
  return true;
}

/**
 * Writes the query's OPT again, over which an answer was begun that turned out not to be whole. There is
 * room for it: one stood there. Its options are lost: the reply is without a cookie and padding then.
 */
function restoreQuery(s: QueryState, m: Uint8Array): void {
  setAnswerCount(m, 0);
  setAuthorityCount(m, 0);
  setAdditionalCount(m, s.edns.present ? 1 : 0);
  if (!s.edns.present) return;
  writeOpt(m, s.question.end, s.edns.udpSize, 0, s.edns.dnssecOk, ExtendedError.NONE);
}
