/**
 * Closed sets of label values, so that no queried name and no client address can get into a metric. Numbers are
 * dense and start at 0, as they are part of a counter's index.
 */

/** Transport that a query came by. */
export const Transport = { UDP: 0, TCP: 1, TLS: 2, HTTPS: 3 } as const;
export type Transport = (typeof Transport)[keyof typeof Transport];

/** Verdicts on queries, in the order of their numbers in dns/verdict.ts. */
export const QUERY_VERDICTS = [
  'dropped',
  'formerr',
  'notimp',
  'badvers',
  'forbidden',
  'bootstrap',
  'refused',
  'ratelimited',
  'ignored',
  'steered',
  'local',
  'negative_local',
  'cached',
  'stale',
  'resolved',
  'servfail',
] as const;

/** Response codes counted separately; see `answerCounter`. */
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

/** Results of lookups in the answer cache. */
export const CacheLookup = { HIT: 0, MISS: 1, STALE: 2 } as const;
export type CacheLookup = (typeof CacheLookup)[keyof typeof CacheLookup];

/** Transports with connections: `Transport` less 1. */
export const StreamTransport = { TCP: 0, TLS: 1, HTTPS: 2 } as const;

/** Path of an answer: FAST within the receiving thread, RESOLVED by an upstream. */
export const QueryPath = { FAST: 0, RESOLVED: 1 } as const;
export type QueryPath = (typeof QueryPath)[keyof typeof QueryPath];

/** Route patterns of the control API with parameters as `:id`; the last stands for all others. */
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
  '/v1/private-names',
  '/v1/private-names/:id',
  '/v1/private-names/:id/token',
  '/v1/private-names/claims',
  '/v1/session',
  '/v1/tickets',
  '/v1/page',
  '/v1/ip',
  '/nic/update',
  '/v3/update',
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

/** Label values of a set, in the order of its numbers. */
export function labelValues(set: Readonly<Record<string, number>>): readonly string[] {
  return Object.keys(set).map((key) => key.toLowerCase());
}
