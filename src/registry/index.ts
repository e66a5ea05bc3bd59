export * from './errors.ts';
export type { DueHostname, Hostnames, HostnameFinding } from './hostnames.ts';
export { looksLike, type SecretKind } from './ids.ts';
export type { Passes } from './passes.ts';
export type { OpenRegistryOptions, RegisterRequest, Registry } from './registry.ts';
export { openRegistry } from './registry.ts';
export type * from './types.ts';
export type { UpdateTokens } from './update-tokens.ts';
