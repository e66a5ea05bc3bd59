/**
 * All counters and their positions in a thread's block. Each label combination has a slot whose index is plain
 * arithmetic over the numbers of labels.ts.
 */
import {
  AnswerRcode,
  CacheLookup,
  CONTROL_ROUTES,
  labelValues,
  QUERY_VERDICTS,
  QueryPath,
  STATUS_CLASSES,
  StreamTransport,
  Transport,
} from './labels.ts';

/**
 * A metric whose values lie in the blocks. Slots follow the label values, the last label changing fastest.
 */
export interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly name: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, readonly string[]>>;
  readonly base: number;
  /** Slots per label combination: 1, or a histogram's buckets and sum. */
  readonly width: number;
}

/** Number of finite histogram buckets: bucket b ends at 2^b microseconds, the last one at 8.4 s. */
export const HISTOGRAM_BOUNDS = 24;
/** Slots of a histogram: finite buckets, the overflow bucket, the sum in seconds. */
export const HISTOGRAM_WIDTH = HISTOGRAM_BOUNDS + 2;

const list: Family[] = [];
let slots = 0;

function family(
  type: Family['type'],
  name: string,
  help: string,
  labels: Readonly<Record<string, readonly string[]>> = {},
): number {
  const base = slots;
  const width = type === 'histogram' ? HISTOGRAM_WIDTH : 1;
  list.push({ type, name: `mediastreamer_${name}`, help, labels, base, width });
  slots += Object.values(labels).reduce((size, values) => size * values.length, width);
  return base;
}

const transport = labelValues(Transport);
const stream = labelValues(StreamTransport);
const VERDICTS = QUERY_VERDICTS.length;
const RCODES = labelValues(AnswerRcode).length;

const QUERIES = family('counter', 'queries_total', 'Queries, by transport and by what became of them', {
  transport,
  verdict: QUERY_VERDICTS,
});
const ANSWERS = family('counter', 'answers_total', 'Replies sent, by transport and rcode', {
  transport,
  rcode: labelValues(AnswerRcode),
});
const CACHE_LOOKUPS = family('counter', 'cache_lookups_total', 'Looks into the answer cache, by result', {
  result: labelValues(CacheLookup),
});
const QUERY_DURATION = family(
  'histogram',
  'query_duration_seconds',
  'Time from receiving a query to sending its reply, by path',
  { path: labelValues(QueryPath) },
);
const CONNECTIONS_OPEN = family('gauge', 'connections_open', 'DNS connections that are open', {
  transport: stream,
});
const CONNECTIONS = family('counter', 'connections_total', 'DNS connections that were accepted', {
  transport: stream,
});
const CONNECTIONS_LIMITED = family(
  'counter',
  'connections_limited_total',
  'DNS connections closed by a limit (on number, queries or time)',
  { transport: stream },
);
const CONTROL_REQUESTS = family(
  'counter',
  'control_requests_total',
  'Requests to the control API, by route and status class',
  { route: CONTROL_ROUTES, status: STATUS_CLASSES },
);

/** Frames of AF_XDP queues: one slot per result, in the order of sys/xdp. */
export const XDP_FRAMES = family(
  'counter',
  'xdp_frames_total',
  'Frames received by AF_XDP, by what they were, and answers that its ring had no room for (unsent)',
  { result: ['taken', 'malformed', 'checksum', 'spoofed', 'stray', 'unsent'] },
);

/** Counters without labels. */
export const Counter = {
  DEFERRED: family('counter', 'deferred_total', 'Queries handed from their thread to the resolver'),
  DEFER_OVERFLOW: family('counter', 'defer_overflow_total', 'Queries that the resolver had no room for'),
  ANSWERS_LIMITED: family('counter', 'answers_limited_total', 'UDP answers cut by dns.answerLimit'),
  COALESCED: family('counter', 'coalesced_total', 'Questions that joined one already on its way upstream'),
  UPSTREAM_QUERIES: family('counter', 'upstream_queries_total', 'Queries sent upstream'),
  UPSTREAM_FAILURES: family('counter', 'upstream_failures_total', 'Upstream queries without a usable reply'),
  UPSTREAM_RETRIES: family('counter', 'upstream_retries_total', 'Tries after the first of a question'),
  PREFETCHES: family('counter', 'prefetches_total', 'Answers asked for again shortly before they expired'),
  UPSTREAM_TRUNCATED: family('counter', 'upstream_truncated_total', 'Replies asked again over TCP'),
  REMEMBERED_FAILURES: family(
    'counter',
    'remembered_failures_total',
    'Questions answered by a failure that is remembered',
  ),
  OVERLOADED: family('counter', 'overloaded_total', 'Questions turned away as too many were under way'),
  UPSTREAM_MISMATCHES: family(
    'counter',
    'upstream_mismatches_total',
    'Packets ignored for a wrong address, port, ID or question while a reply was awaited',
  ),
  CONTROL_AUTH_FAILURES: family(
    'counter',
    'control_auth_failures_total',
    'Requests to the control API with no valid credentials',
  ),
} as const;

/** All metrics of the blocks, in slot order. */
export const FAMILIES: readonly Family[] = list;
/** Number of slots in a block. */
export const SLOTS = slots;

/** Counter of a query and its verdict. */
export function queryCounter(transport: Transport, verdict: number): number {
  return QUERIES + transport * VERDICTS + verdict;
}

/** Counter of a sent reply; `rcode` includes EDNS's upper bits (RFC 6891 section 6.1.3). */
export function answerCounter(transport: Transport, rcode: number): number {
  const slot = rcode <= 5 ? rcode : rcode === 16 ? AnswerRcode.BADVERS : AnswerRcode.OTHER;
  return ANSWERS + transport * RCODES + slot;
}

/** Counter of a lookup in the answer cache. */
export function cacheCounter(result: CacheLookup): number {
  return CACHE_LOOKUPS + result;
}

/** Histogram of query durations, for `CounterBlock.observe`. */
export function queryDuration(path: QueryPath): number {
  return QUERY_DURATION + path * HISTOGRAM_WIDTH;
}

/** Gauge of open TCP, TLS or HTTPS connections: add 1 and -1. */
export function openConnections(transport: Transport): number {
  return CONNECTIONS_OPEN + transport - 1;
}

/** Counter of accepted TCP, TLS or HTTPS connections. */
export function connectionCounter(transport: Transport): number {
  return CONNECTIONS + transport - 1;
}

/** Counter of TCP, TLS or HTTPS connections that a limit closed. */
export function limitedConnectionCounter(transport: Transport): number {
  return CONNECTIONS_LIMITED + transport - 1;
}

/**
 * Number of a control route. `pattern` is the router's (`/v1/accounts/:accountId`), never a request's path.
 * Parameter names do not matter; an unknown pattern counts as `other`.
 */
export function controlRoute(pattern: string | undefined): number {
  const known = pattern?.replace(/:\w+/g, ':id') as (typeof CONTROL_ROUTES)[number];
  const index = CONTROL_ROUTES.indexOf(known);
  return index < 0 ? CONTROL_ROUTES.length - 1 : index;
}

/** Counter of a control API reply; `route` from `controlRoute`, `status` 200 to 599. */
export function controlCounter(route: number, status: number): number {
  const statusClass = Math.min(Math.max(Math.trunc(status / 100) - 2, 0), STATUS_CLASSES.length - 1);
  return CONTROL_REQUESTS + route * STATUS_CLASSES.length + statusClass;
}
