/**
 * Outcome of one query, in the order in which `decide` finds it. Every query counts once, under one of these; a deferred
 * query counts when its answer is known. Numbers are dense: they index the labels of `queries_total`.
 */
export const QueryVerdict = {
  /** Not a query (short, QR=1, source port 0): no reply. */
  DROPPED: 0,
  FORMERR: 1,
  NOTIMP: 2,
  BADVERS: 3,
  /** Refused for every source: AXFR, IXFR, class CH, RD=0. */
  FORBIDDEN: 4,
  /** Unregistered source, name that is answered for everyone. */
  BOOTSTRAP: 5,
  /** Unregistered source: REFUSED. */
  REFUSED: 6,
  /** Unregistered source past the rate limit: no reply. */
  RATELIMITED: 7,
  /** Unregistered source under `dns.unregistered: drop`: no reply. */
  IGNORED: 8,
  /** Catalog name: relay addresses, or the NODATA that goes with them. */
  STEERED: 9,
  /** Answered here with data: localhost, the test zone, ANY. */
  LOCAL: 10,
  /** Answered here with NXDOMAIN or NODATA: special and canary names. */
  NEGATIVE_LOCAL: 11,
  CACHED: 12,
  /** Expired cache entry, because the upstreams did not answer (serve-stale, RFC 8767). */
  STALE: 13,
  /** Answered by an upstream. */
  RESOLVED: 14,
  /** The upstreams failed, or too many questions wait. */
  SERVFAIL: 15,
} as const;
export type QueryVerdict = (typeof QueryVerdict)[keyof typeof QueryVerdict];

/** Returned by `decide` for a query that needs an upstream. */
export const DEFERRED = -1;
export type Outcome = QueryVerdict | typeof DEFERRED;
