export type { RelayUpdate } from './context.ts';
export type { EgressRules } from './egress-guard.ts';
export { RelayListenError } from './listen-error.ts';
export type { RelayLimits, RelayPolicy } from './policy.ts';
export { Relay, type RelayOptions } from './relay.ts';
