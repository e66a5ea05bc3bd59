/** Counts of the resolver: numbers that only grow. The resolver's thread writes them, metrics read them. */
export class ResolverCounters {
  /** Questions asked, whatever became of them. */
  questions = 0;
  /** Questions that joined one under way. */
  coalesced = 0;
  /** Questions answered a moment ago: their listener missed the cache before the answer arrived there. */
  recentAnswers = 0;
  /** Questions answered with a remembered failure (RFC 9520). */
  rememberedFailures = 0;
  /** Questions turned away: too many under way in all, of one home or below one zone. */
  overloaded = 0;
  /** Questions that ended without an answer. */
  failures = 0;
  /** Messages sent to upstreams, over any transport. */
  upstreamQueries = 0;
  /** Tries after the first of a question. */
  retries = 0;
  /** Retries made before the time of a slow try was over. */
  hedges = 0;
  /** Answers refreshed before they expired. */
  prefetches = 0;
  /** Replies with TC=1, asked again over TCP. */
  truncated = 0;
  /** Replies in another case than the question. */
  caseMismatches = 0;
  /** Questions moved to TCP after too many false replies. */
  floods = 0;
  /** Messages from an upstream that answered no question and were ignored. */
  ignored = 0;
  /** Questions asked again without EDNS. */
  ednsFallbacks = 0;
}
