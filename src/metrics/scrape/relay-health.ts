import { labelled, type MetricFamily } from './families.ts';

/** An edge's view of the relays in its answers. Relay addresses are the operator's own, so they may be labels. */
export interface RelayHealthSource {
  readonly relays: readonly {
    readonly region: string;
    readonly address: string;
    readonly state: 'up' | 'down' | 'drained' | 'not-probed';
    /** Answers may hold it. */
    readonly given: boolean;
    readonly handshakeMs: number | null;
  }[];
  /** Counts of probes, by relay and outcome. */
  readonly probes: Iterable<readonly [region: string, address: string, outcome: string, count: number]>;
  /** Time that probes wait for their turn; null: nothing is probed. */
  readonly latenessMs: number | null;
  readonly regions: readonly { readonly region: string; readonly isDown: boolean }[];
}

/** Lists the metrics of relays as an edge sees them. Those of probing appear once there are probes. */
export function relayHealthFamilies(source: () => RelayHealthSource): MetricFamily[] {
  type Relay = RelayHealthSource['relays'][number];
  const perRelay = (name: string, help: string, read: (relay: Relay) => number | null): MetricFamily =>
    labelled('gauge', `relay_${name}`, help, () =>
      source().relays.flatMap((relay) => {
        const value = read(relay);
        return value === null ? [] : [{ labels: { region: relay.region, relay: relay.address }, value }];
      }),
    );
  return [
    perRelay('up', "Whether this edge's latest probe got through the relay", ({ state }) =>
      state === 'up' ? 1 : state === 'down' ? 0 : null,
    ),
    perRelay('given', 'Whether answers of this edge may hold the relay', ({ given }) => (given ? 1 : 0)),
    perRelay('drained', 'Whether an operator has taken the relay out of the answers', ({ state }) =>
      state === 'drained' ? 1 : 0,
    ),
    perRelay('probe_seconds', 'Time of the latest handshake through the relay', ({ handshakeMs }) =>
      handshakeMs === null ? null : handshakeMs / 1000,
    ),
    labelled('counter', 'relay_probes_total', 'Probes of relays, by outcome', () =>
      Array.from(source().probes, ([region, relay, outcome, value]) => ({
        labels: { region, relay, outcome },
        value,
      })).filter(({ value }) => value > 0),
    ),
    labelled(
      'gauge',
      'relay_probe_lateness_seconds',
      'Time that probes of relays wait for their turn (health.concurrency)',
      () => {
        const { latenessMs } = source();
        return latenessMs === null ? [] : [{ value: latenessMs / 1000 }];
      },
    ),
    labelled(
      'gauge',
      'region_down',
      'Whether no relay of the region is up, so that health.allDown applies',
      () => source().regions.map(({ region, isDown }) => ({ labels: { region }, value: isDown ? 1 : 0 })),
    ),
  ];
}
