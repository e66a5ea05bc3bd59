export * from './errors.ts';
export type { DueHostname, HostnameFinding, Hostnames } from './hostnames.ts';
export { looksLike, type SecretKind } from './ids.ts';
export { openRegistry } from './open.ts';
export type { Passes } from './passes.ts';
export type { OpenRegistryOptions, RegisterRequest, Registry } from './registry.ts';
export type { StoreNews, StoreState, WarningCode } from './store/redis/state.ts';
export type * from './types.ts';
export type { UpdateTokens } from './update-tokens.ts';
