export { type BlockShare, blockBytes, CounterBlock } from './block.ts';
export {
  answerCounter,
  Counter,
  cacheCounter,
  connectionCounter,
  controlCounter,
  controlRoute,
  limitedConnectionCounter,
  openConnections,
  queryCounter,
  queryDuration,
} from './counters.ts';
export { Exposition } from './exposition.ts';
export type { Sources } from './gauges.ts';
export { CacheResult, QueryPath, QueryVerdict, Transport } from './labels.ts';
export { type ListenAddress, MetricsListenError, MetricsServer, type ReadinessCheck } from './server.ts';
