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
export { CacheLookup, QUERY_VERDICTS, QueryPath, Transport } from './labels.ts';
