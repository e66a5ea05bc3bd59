export { RELAY_DIRECTIONS, RELAY_OUTCOMES, RelayCounters, RelayServiceSlots } from './counters.ts';
export { EGRESS_OUTCOMES } from './egress/egress-outcome.ts';
export type { EgressStatus } from './egress/egress-watch.ts';
export type { EgressRules } from './egress-guard.ts';
export { canCarryQuic, type RelayLimits, type RelayPolicy } from './policy.ts';
export type { QuicMode } from './quic/quic-context.ts';
export { canRelayQuic, Relay, type RelayOptions } from './relay.ts';
export type { RelayUpdate } from './relay-context.ts';
