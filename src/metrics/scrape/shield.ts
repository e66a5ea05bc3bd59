import { Counter, Gauge, type Registry } from 'prom-client';

/** What the filter in front of the UDP sockets tells; numbers since the start, but for the entries. */
export interface ShieldSource {
  readonly state: 'off' | 'unavailable' | 'ready' | 'engaging' | 'engaged';
  readonly engagements: number;
  readonly dropped: number;
  readonly sampled: number;
  readonly entries: number;
}

/** Makes the shield's metrics in `registry`. */
export function registerShield(source: () => ShieldSource, registry: Registry): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: (of: ShieldSource) => number): void => {
    const made: Gauge = new Gauge({
      ...{ name: `mediastreamer_shield_${name}`, help, registers },
      collect: () => made.set(read(source())),
    });
  };
  const counter = (name: string, help: string, read: (of: ShieldSource) => number): void => {
    const made: Counter = new Counter({
      ...{ name: `mediastreamer_shield_${name}`, help, registers },
      collect: () => {
        made.reset();
        made.inc(read(source()));
      },
    });
  };
  gauge('available', 'Whether a flood would be filtered in the kernel', ({ state }) =>
    state === 'off' || state === 'unavailable' ? 0 : 1,
  );
  gauge('engaged', 'Whether the filter is in place', ({ state }) => (state === 'engaged' ? 1 : 0));
  gauge('entries', 'Addresses and prefixes that the filter knows', ({ entries }) => entries);
  counter('engagements_total', 'How often the filter was put in place', ({ engagements }) => engagements);
  counter(
    'dropped_packets_total',
    'UDP packets of unregistered sources that the filter dropped; no other counter has them',
    ({ dropped }) => dropped,
  );
  counter(
    'sampled_packets_total',
    'UDP packets of unregistered sources that the filter let pass as a sample',
    ({ sampled }) => sampled,
  );
}
