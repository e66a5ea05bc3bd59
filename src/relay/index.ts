export type { RelayUpdate } from './context.ts';
export { RELAY_DIRECTIONS, RELAY_OUTCOMES, RelayCounters, RelayServiceSlots } from './counters.ts';
export { EGRESS_OUTCOMES } from './egress/outcome.ts';
export type { EgressStatus } from './egress/watch.ts';
export type { EgressRules } from './egress-guard.ts';
export { canCarryQuic, type RelayLimits, type RelayPolicy } from './policy.ts';
export type { QuicMode } from './quic/context.ts';
export { Relay, type RelayOptions } from './relay.ts';
