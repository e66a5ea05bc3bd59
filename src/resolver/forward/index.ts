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
