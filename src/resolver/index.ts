export * from './cache/index.ts';
export { ResolverCounters } from './counters.ts';
export type { UpstreamQuirk, UpstreamStatus } from './endpoint.ts';
export { NoSystemUpstreamError, UpstreamUrlError } from './errors.ts';
export { type HostAddresses, lookUpHost } from './host-addresses.ts';
export type { FillRandom, RandomSource } from './random.ts';
export type { Resolved, ResolvedEntry, ResolveFailure, ResolveRequest, ResolveWaiter } from './request.ts';
export { type AnswerStore, Resolver, type ResolverLimits, type ResolverOptions } from './resolver.ts';
export {
  type LocalListener,
  readSystemUpstreams,
  type SystemOptions,
  type SystemUpstreams,
} from './system.ts';
export { DEFAULT_TIMEOUTS, type ResolverTimeouts } from './timeouts.ts';
export type { DatagramPool, DatagramPools } from './upstream/datagram-pool.ts';
export { hasSystemDatagrams, SystemDatagrams } from './upstream/system-datagrams.ts';
export { parseUpstream, type UpstreamConfig, type UpstreamScheme } from './upstream/url.ts';
