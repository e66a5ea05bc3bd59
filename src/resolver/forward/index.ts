export { UPSTREAM_UDP_SIZE } from '../query.ts';
export { RandomSource } from '../random.ts';
export { isBareError, ReplySurvey } from '../reply.ts';
export { upstreamPeerName } from '../upstream/peer-name.ts';
export {
  Claim,
  createForwardHandle,
  type ForwardHandle,
  type ForwardPolicy,
  ForwardState,
  MAX_FORWARDERS,
  NO_UPSTREAM,
} from './forward-state.ts';
export { Tried } from './tried.ts';
