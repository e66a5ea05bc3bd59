import { Counter, Gauge, type Registry } from 'prom-client';
import { EGRESS_OUTCOMES } from '../egress.ts';
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
  /** Whether it tells the edges that probe it to leave it out. */
  readonly isDraining: boolean;
  readonly services: readonly (readonly [service: string, slot: number])[];
  readonly blocks: readonly RelayCounters[];
  /** The proxies that lead to the origins, by URLs without credentials; attempts by EgressOutcome. */
  readonly egress: readonly {
    readonly proxy: string;
    readonly isUp: boolean;
    readonly outcomes: readonly number[];
  }[];
}

/** Makes the relay's metrics in `registry`. Series appear when something was counted: there are many. */
export function registerRelay(source: () => RelaySource, registry: Registry): void {
  registerEgress(source, registry);
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
  const draining: Gauge = new Gauge({
    name: 'mediastreamer_relay_draining',
    help: 'Whether the relay tells edges that probe it to give it to nobody any more',
    labelNames: ['region'],
    registers,
    collect: () => {
      const { region, isDraining } = source();
      draining.reset();
      draining.set({ region }, isDraining ? 1 : 0);
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

/** Makes the metrics of the proxies that a relay reaches its origins by. */
function registerEgress(source: () => RelaySource, registry: Registry): void {
  const registers = [registry];
  const labelNames = ['region', 'index', 'proxy'];
  const up: Gauge = new Gauge({
    name: 'mediastreamer_relay_egress_up',
    help: 'Whether a proxy of the egress is used, by its place and URL in the configuration',
    labelNames,
    registers,
    collect: () => {
      const { region, egress } = source();
      up.reset();
      for (const [index, { proxy, isUp }] of egress.entries()) {
        up.set({ region, index: String(index), proxy }, isUp ? 1 : 0);
      }
    },
  });
  const attempts: Counter = new Counter({
    name: 'mediastreamer_relay_egress_attempts_total',
    help: 'Attempts to reach an origin through a proxy, by what became of them',
    labelNames: [...labelNames, 'outcome'],
    registers,
    collect: () => {
      const { region, egress } = source();
      attempts.reset();
      for (const [index, { proxy, outcomes }] of egress.entries()) {
        for (const [outcome, count] of outcomes.entries()) {
          if (count === 0) continue;
          attempts.inc({ region, index: String(index), proxy, outcome: EGRESS_OUTCOMES[outcome]! }, count);
        }
      }
    },
  });
}
