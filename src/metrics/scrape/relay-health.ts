import { Counter, Gauge, type Registry } from 'prom-client';

/** What an edge knows of the relays in its answers. They are the operator's own: their addresses are labels. */
export interface RelayHealthSource {
  readonly relays: readonly {
    readonly region: string;
    readonly address: string;
    readonly state: 'up' | 'down' | 'drained' | 'not-probed';
    /** Whether answers may hold it. */
    readonly given: boolean;
    readonly handshakeMs: number | null;
  }[];
  /** How many probes of an address came to what. */
  readonly probes: Iterable<readonly [region: string, address: string, outcome: string, count: number]>;
  readonly regions: readonly { readonly region: string; readonly isDown: boolean }[];
}

/** Makes the metrics of relays as an edge sees them, in `registry`. Those of probing appear once there are probes. */
export function registerRelayHealth(source: () => RelayHealthSource, registry: Registry): void {
  const registers = [registry];
  const labelNames = ['region', 'relay'];
  const perRelay = (
    name: string,
    help: string,
    read: (relay: RelayHealthSource['relays'][number]) => number | null,
  ): void => {
    const gauge: Gauge = new Gauge({
      ...{ name: `mediastreamer_relay_${name}`, help, labelNames, registers },
      collect: () => {
        gauge.reset();
        for (const relay of source().relays) {
          const value = read(relay);
          if (value !== null) gauge.set({ region: relay.region, relay: relay.address }, value);
        }
      },
    });
  };
  perRelay('up', "Whether this edge's probes get through a relay (1), as of the latest", ({ state }) =>
    state === 'up' ? 1 : state === 'down' ? 0 : null,
  );
  perRelay('given', 'Whether answers of this edge may hold a relay', ({ given }) => (given ? 1 : 0));
  perRelay('drained', 'Whether an operator has taken a relay out of the answers', ({ state }) =>
    state === 'drained' ? 1 : 0,
  );
  perRelay('probe_seconds', 'Time of the latest handshake through a relay', ({ handshakeMs }) =>
    handshakeMs === null ? null : handshakeMs / 1000,
  );
  const probes: Counter = new Counter({
    name: 'mediastreamer_relay_probes_total',
    help: 'Probes of relays, by what came of them',
    labelNames: [...labelNames, 'outcome'],
    registers,
    collect: () => {
      probes.reset();
      for (const [region, relay, outcome, count] of source().probes) {
        if (count > 0) probes.inc({ region, relay, outcome }, count);
      }
    },
  });
  const regions: Gauge = new Gauge({
    name: 'mediastreamer_region_down',
    help: 'Whether no relay of a region is up, so that health.allDown holds there',
    labelNames: ['region'],
    registers,
    collect: () => {
      regions.reset();
      for (const { region, isDown } of source().regions) regions.set({ region }, isDown ? 1 : 0);
    },
  });
}
