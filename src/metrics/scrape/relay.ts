import { Counter, Gauge, type Registry } from 'prom-client';
import {
  RELAY_DIRECTIONS,
  RELAY_OUTCOMES,
  type RelayCounters,
  type RelayDirection,
  type RelayOutcome,
} from '../relay.ts';

/** What a relay counted: the region it stands in, its services with their slots, and a block a thread. */
export interface RelaySource {
  readonly region: string;
  readonly services: readonly (readonly [service: string, slot: number])[];
  readonly blocks: readonly RelayCounters[];
}

/** Makes the relay's metrics in `registry`. Series appear when something was counted: there are many. */
export function registerRelay(source: () => RelaySource, registry: Registry): void {
  const total = (read: (block: RelayCounters) => number) =>
    source().blocks.reduce((sum, block) => sum + read(block), 0);
  const registers = [registry];
  const connections: Counter = new Counter({
    name: 'mediastreamer_relay_connections_total',
    help: 'Connections to the relay that have ended, by what became of them',
    labelNames: ['region', 'service', 'outcome'],
    registers,
    collect: () => {
      const { region, services } = source();
      connections.reset();
      for (const [service, slot] of services) {
        for (const [index, outcome] of RELAY_OUTCOMES.entries()) {
          const count = total((block) => block.outcome(slot, index as RelayOutcome));
          if (count > 0) connections.inc({ region, service, outcome }, count);
        }
      }
    },
  });
  const bytes: Counter = new Counter({
    name: 'mediastreamer_relay_bytes_total',
    help: 'Octets carried',
    labelNames: ['region', 'service', 'direction'],
    registers,
    collect: () => {
      const { region, services } = source();
      bytes.reset();
      for (const [service, slot] of services) {
        for (const [index, direction] of RELAY_DIRECTIONS.entries()) {
          const count = total((block) => block.bytes(slot, index as RelayDirection));
          if (count > 0) bytes.inc({ region, service, direction }, count);
        }
      }
    },
  });
  const tunnels: Gauge = new Gauge({
    name: 'mediastreamer_relay_tunnels_open',
    help: 'Connections that are carried',
    labelNames: ['region', 'service'],
    registers,
    collect: () => {
      const { region, services } = source();
      tunnels.reset();
      for (const [service, slot] of services) {
        const open = total((block) => block.open(slot));
        if (open > 0 || slot === 0) tunnels.set({ region, service }, open);
      }
    },
  });
}
