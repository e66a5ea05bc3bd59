/** What the resolver counts: plain numbers that only grow, read when metrics are. Single writer. */
export class ResolverCounters {
  /** Questions that came in, whatever became of them. */
  questions = 0;
  /** Questions that joined one already under way. */
  coalesced = 0;
  /** Questions that had just been answered: asked before the listener could see the answer in the cache. */
  recentAnswers = 0;
  /** Questions answered by a failure that is remembered (RFC 9520). */
  rememberedFailures = 0;
  /** Questions turned away because too many were under way. */
  overloaded = 0;
  /** Questions that ended without an answer. */
  failures = 0;
  /** Messages sent to upstreams, over any transport. */
  upstreamQueries = 0;
  /** Tries after the first of a question. */
  retries = 0;
  /** Of these, made because an upstream was slower than it uses to be, before its time was over. */
  hedges = 0;
  /** Answers asked for again before they expired. */
  prefetches = 0;
  /** Replies with TC=1, asked again over TCP. */
  truncated = 0;
  /** Replies in another case than the question, asked again over TCP. */
  caseMismatches = 0;
  /** Questions moved to TCP because too many false replies came. */
  floods = 0;
  /** Messages from an upstream that were not replies to what was asked, and were ignored. */
  ignored = 0;
  /** Questions asked again without EDNS. */
  ednsFallbacks = 0;
}
