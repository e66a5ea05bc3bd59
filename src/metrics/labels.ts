/**
 * The closed sets that label values are taken from. A metric can say nothing that does not stand here, so no
 * name that was asked for and no client's address can get into one. Numbers are dense and start at 0: they are
 * part of a counter's index.
 */

/** What a query came by. */
export const Transport = { UDP: 0, TCP: 1, TLS: 2, HTTPS: 3 } as const;
export type Transport = (typeof Transport)[keyof typeof Transport];

/**
 * What became of a query, in the order in which it is decided. Each query counts once, under one of these; one
 * that was deferred counts when its answer is known.
 */
export const QueryVerdict = {
  /** Not a query (short, QR=1, source port 0): no reply. */
  DROPPED: 0,
  FORMERR: 1,
  NOTIMP: 2,
  BADVERS: 3,
  /** Refused whoever asks: AXFR, IXFR, class CH. */
  FORBIDDEN: 4,
  /** From an unregistered source, a name that is answered for everyone. */
  BOOTSTRAP: 5,
  /** From an unregistered source: REFUSED. */
  REFUSED: 6,
  /** From an unregistered source: no reply, past the rate limit. */
  RATELIMITED: 7,
  /** From an unregistered source: no reply, as `dns.unregistered: drop` asks. */
  IGNORED: 8,
  /** A catalog name: relay addresses, or the NODATA that goes with them. */
  STEERED: 9,
  /** Answered here with data: localhost, the test zone, ANY. */
  LOCAL: 10,
  /** Answered here with NXDOMAIN or NODATA: special names, canary names. */
  NEGATIVE_LOCAL: 11,
  CACHED: 12,
  /** From the cache past its time, as the upstreams did not answer. */
  STALE: 13,
  /** By an upstream. */
  RESOLVED: 14,
  /** Nothing to give: the upstreams failed, or too many questions wait. */
  SERVFAIL: 15,
} as const;
export type QueryVerdict = (typeof QueryVerdict)[keyof typeof QueryVerdict];

/** The rcodes that are told apart in answers; see `answerCounter`. */
export const AnswerRcode = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 6,
  OTHER: 7,
} as const;

/** What a look into the answer cache found. */
export const CacheResult = { HIT: 0, MISS: 1, STALE: 2 } as const;
export type CacheResult = (typeof CacheResult)[keyof typeof CacheResult];

/** Transports that have connections, by their `Transport` less 1. */
export const StreamTransport = { TCP: 0, TLS: 1, HTTPS: 2 } as const;

/** Where an answer's time went: FAST, to the thread that received the query; RESOLVED, to an upstream. */
export const QueryPath = { FAST: 0, RESOLVED: 1 } as const;
export type QueryPath = (typeof QueryPath)[keyof typeof QueryPath];

/** Route patterns of the control API, parameters as `:id`; the last one stands for all others. */
export const CONTROL_ROUTES = [
  '/v1/accounts',
  '/v1/accounts/:id',
  '/v1/accounts/:id/registrations',
  '/v1/accounts/:id/registrations/:id',
  '/v1/accounts/:id/secret',
  '/v1/accounts/:id/sign-in-links',
  '/v1/account',
  '/v1/account/export',
  '/v1/registrations',
  '/v1/registrations/:id',
  '/v1/hostnames',
  '/v1/hostnames/:id',
  '/v1/update-tokens',
  '/v1/update-tokens/:id',
  '/v1/session',
  '/v1/tickets',
  '/v1/page',
  '/v1/ip',
  '/nic/update',
  '/nic/checkip',
  '/',
  '/sign-in',
  '/page/:id',
  '/probe.svg',
  '/openapi.json',
  '/docs',
  'other',
] as const;

/** Status classes of HTTP replies. */
export const STATUS_CLASSES = ['2xx', '3xx', '4xx', '5xx'] as const;

/** The label values of a set, in the order of its numbers. */
export function labelValues(set: Readonly<Record<string, number>>): readonly string[] {
  return Object.keys(set).map((key) => key.toLowerCase());
}
