export { COOKIE_SECRET_BYTES } from './answer/cookies.ts';
export { type DiscoveryOptions, discoveryRecords } from './answer/discovery.ts';
export { NO_OPEN_NAMES, type OpenNamesOptions } from './answer/open-names.ts';
export {
  MAX_UDP_REPLY_BYTES,
  type QueryPolicy,
  QueryState,
  type QueryTables,
  type TransportTraits,
} from './answer/query-state.ts';
export { Answerer, type AnswererResolver, DeferredQueryError } from './answerer.ts';
export { type ExplainedQuestion, type ExplainNames, type ExplainStep, explain } from './explain.ts';
export { DohHandler } from './https/node-handler.ts';
export { type AskControl, ClaimDesk, ClaimOutcome, type PrivateNames } from './private-names/index.ts';
export { decide } from './query.ts';
export { RateLimiter, type RateLimitOptions } from './rate-limit.ts';
export type { ResolverReport } from './resolver-thread/messages.ts';
export { ResolverThread, type ResolverThreadOptions } from './resolver-thread/resolver-thread.ts';
export type { StreamLimits } from './stream/connection-budget.ts';
export { LocalStreams, type LocalStreamsOptions } from './stream/local-streams.ts';
export type { StreamEngine } from './stream/stream-engine.ts';
export type { StreamServer } from './stream/stream-server.ts';
export { StreamThreads, type StreamThreadsOptions } from './stream/stream-threads.ts';
export type { ChallengeRecord, QuerySettings, TableUpdate } from './table-update.ts';
export { startTcpListener } from './tcp/listener.ts';
export { TCP_TRAITS } from './tcp/traits.ts';
export { type DeferredQueries, LocalDeferredQueries } from './udp/deferred-queries.ts';
export { DgramEngine } from './udp/dgram-engine.ts';
export { MmsgEngine, type MmsgEngineOptions } from './udp/mmsg-engine.ts';
export {
  type DisengageCause,
  Shield,
  type ShieldEvents,
  type ShieldOptions,
  type ShieldSocket,
  type ShieldStatus,
} from './udp/shield/index.ts';
export type { UdpEngine, XdpStatus } from './udp/udp-engine.ts';
export { UDP_TRAITS } from './udp/udp-traits.ts';
export { XdpEngine, type XdpEngineOptions } from './udp/xdp-engine.ts';
export { DEFERRED, type Outcome, QueryVerdict } from './verdict.ts';
