export type { Credentials } from './credentials.ts';
export * from './errors.ts';
export { checkHostname, type DueHostname, type HostnameFinding, type Hostnames } from './hostnames.ts';
export { looksLike, type SecretKind } from './ids.ts';
export { openRegistry } from './open.ts';
export type { PrivateNames } from './private-names.ts';
export type { Registry } from './registry.ts';
export {
  SERVICE_STATES,
  type ServiceDay,
  type ServiceHistory,
  type ServiceState,
} from './service-history.ts';
export type { StoreEvents, StoreState, WarningCode } from './store/events.ts';
export type { MovableStore } from './store/movable-store.ts';
export type { StoreSteps } from './store/store.ts';
export type { StorePeer } from './store/store-peer.ts';
export type * from './types.ts';
export type { UpdateTokens } from './update-tokens.ts';
