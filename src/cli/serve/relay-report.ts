import type { ReadinessCheck, RelayHealthSource } from '../../metrics/scrape/index.ts';
import type { Edge } from './edge.ts';
import type { RelayWatch } from './relay-watch.ts';

/** For people: an edge without relays still resolves, and knows no better one to send its work to. */
export function relayReadiness(edge: Edge, watch: RelayWatch): ReturnType<ReadinessCheck['check']> {
  const statuses = edge.relayStatuses;
  const count = (wanted: string) => statuses.filter(({ state }) => state === wanted).length;
  const regionsDown = watch.downRegions.size;
  const state = regionsDown > 0 ? 'region-down' : count('down') > 0 ? 'relay-down' : 'up';
  const detail = { up: count('up'), down: count('down'), drained: count('drained'), regionsDown };
  return { ready: true, state, detail };
}

/** For metrics. */
export function relayHealth(edge: Edge, watch: RelayWatch): RelayHealthSource {
  return {
    relays: edge.relayStatuses,
    probes: [...watch.probes()],
    regions: edge.regions.map((region) => ({ region, isDown: watch.downRegions.has(region) })),
  };
}
