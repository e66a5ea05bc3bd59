export { type BlockHandle, blockBytes, CounterBlock } from './block.ts';
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
  XDP_FRAMES,
} from './counters.ts';
export { EGRESS_OUTCOMES, EgressOutcome } from './egress.ts';
export { CacheResult, QueryPath, QueryVerdict, Transport } from './labels.ts';
export {
  RelayCounters,
  RelayDirection,
  RelayOutcome,
  RelayServiceSlots,
} from './relay.ts';
