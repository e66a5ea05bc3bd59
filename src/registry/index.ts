export * from './errors.ts';
export type { OpenRegistryOptions, RegisterRequest, Registry } from './registry.ts';
export { openRegistry } from './registry.ts';
export type * from './types.ts';
