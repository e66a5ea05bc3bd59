import { type MetricFamily, single } from './families.ts';

/** State of the packet filter in front of the UDP sockets; all numbers but `entries` count since the start. */
export interface ShieldSource {
  readonly state: 'off' | 'unavailable' | 'ready' | 'engaging' | 'engaged';
  readonly engagements: number;
  readonly dropped: number;
  readonly sampled: number;
  readonly entries: number;
}

export function shieldFamilies(source: () => ShieldSource): MetricFamily[] {
  return [
    single('gauge', 'shield_available', 'Whether a flood would be filtered in the kernel', () =>
      source().state === 'off' || source().state === 'unavailable' ? 0 : 1,
    ),
    single('gauge', 'shield_engaged', 'Whether the filter is in place', () =>
      source().state === 'engaged' ? 1 : 0,
    ),
    single('gauge', 'shield_entries', 'Addresses and prefixes in the filter', () => source().entries),
    single(
      'counter',
      'shield_engagements_total',
      'Times the filter was put in place',
      () => source().engagements,
    ),
    single(
      'counter',
      'shield_dropped_packets_total',
      'UDP packets of unregistered sources dropped by the filter; no other counter has them',
      () => source().dropped,
    ),
    single(
      'counter',
      'shield_sampled_packets_total',
      'UDP packets of unregistered sources that the filter let pass as a sample',
      () => source().sampled,
    ),
  ];
}
