import { labelled, type MetricFamily, type Sample } from './families.ts';

/** Counters of one relay thread, by the slot of a service. */
interface RelayBlock {
  outcome(slot: number, outcome: number): number;
  open(slot: number): number;
  bytes(slot: number, direction: number): number;
}

/** A relay's counters. The relay names its label values; indexes into them are what blocks count by. */
export interface RelaySource {
  readonly region: string;
  /** The relay tells edges that probe it to leave it out of their answers. */
  readonly isDraining: boolean;
  readonly outcomes: readonly string[];
  readonly directions: readonly string[];
  readonly egressOutcomes: readonly string[];
  readonly services: readonly (readonly [service: string, slot: number])[];
  readonly blocks: readonly RelayBlock[];
  /** Proxies that lead to the origins, by URLs without credentials; attempts by egress outcome. */
  readonly egress: readonly {
    readonly proxy: string;
    readonly isUp: boolean;
    readonly outcomes: readonly number[];
  }[];
}

/** Lists the relay's metrics. A series appears once something was counted: there are many. */
export function relayFamilies(source: () => RelaySource): MetricFamily[] {
  const perProxy = (read: (proxy: RelaySource['egress'][number], labels: ProxyLabels) => Sample[]) => () => {
    const { region, egress } = source();
    return egress.flatMap((proxy, index) => read(proxy, { region, index: `${index}`, proxy: proxy.proxy }));
  };
  return [
    labelled(
      'gauge',
      'relay_egress_up',
      'Whether a proxy of relay.egress is used',
      perProxy(({ isUp }, labels) => [{ labels, value: isUp ? 1 : 0 }]),
    ),
    labelled(
      'counter',
      'relay_egress_attempts_total',
      'Attempts to reach an origin through a proxy, by outcome',
      perProxy(({ outcomes }, labels) =>
        counted(source().egressOutcomes, (index) => outcomes[index]).map(([outcome, value]) => ({
          labels: { ...labels, outcome },
          value,
        })),
      ),
    ),
    labelled(
      'counter',
      'relay_connections_total',
      'Connections to the relay that have ended, by outcome',
      () =>
        perService(source(), 'outcome', source().outcomes, (block, slot, index) =>
          block.outcome(slot, index),
        ),
    ),
    labelled(
      'gauge',
      'relay_draining',
      'Whether the relay tells edges that probe it to leave it out of their answers',
      () => [{ labels: { region: source().region }, value: source().isDraining ? 1 : 0 }],
    ),
    labelled('counter', 'relay_bytes_total', 'Bytes carried', () =>
      perService(source(), 'direction', source().directions, (block, slot, index) =>
        block.bytes(slot, index),
      ),
    ),
    labelled('gauge', 'relay_tunnels_open', 'Connections that are carried', () => {
      const { region, services, blocks } = source();
      return services
        .map(([service, slot]) => ({
          labels: { region, service },
          value: sum(blocks, (block) => block.open(slot)),
          slot,
        }))
        .filter(({ value, slot }) => value > 0 || slot === 0);
    }),
  ];
}

type ProxyLabels = Readonly<Record<'region' | 'index' | 'proxy', string>>;

function perService(
  { region, services, blocks }: RelaySource,
  label: string,
  names: readonly string[],
  read: (block: RelayBlock, slot: number, index: number) => number,
): Sample[] {
  return services.flatMap(([service, slot]) =>
    counted(names, (index) => sum(blocks, (block) => read(block, slot, index))).map(([name, value]) => ({
      labels: { region, service, [label]: name },
      value,
    })),
  );
}

/** Pairs names with their counts and leaves zeros out. */
function counted(names: readonly string[], read: (index: number) => number): [name: string, count: number][] {
  return names.map((name, index): [string, number] => [name, read(index)]).filter(([, count]) => count > 0);
}

function sum(blocks: readonly RelayBlock[], read: (block: RelayBlock) => number): number {
  return blocks.reduce((total, block) => total + read(block), 0);
}
