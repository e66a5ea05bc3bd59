import type { AddressHealth, ProbeOutcome } from '../../../catalog/health/index.ts';
import type { CatalogTables, Relay, RelayRoutes } from '../../../catalog/index.ts';
import { formatAddress } from '../../../net/index.ts';

/** State of a relay's address as this edge sees it. Relays are ours, so their addresses may be logged. */
export interface RelayStatus {
  readonly region: string;
  readonly address: string;
  readonly group: string | null;
  readonly weight: number;
  /** `drained`: by the operator, here or at the relay. */
  readonly state: 'up' | 'down' | 'drained' | 'not-probed';
  /** True if answers may hold it. */
  readonly given: boolean;
  /** Outcome of the latest probe; null before the first. */
  readonly latest: ProbeOutcome | null;
  /** Duration of the latest handshake. */
  readonly handshakeMs: number | null;
  /** Time since the state last changed; null without probes. */
  readonly forSeconds: number | null;
}

/** Health and drain state of a catalog's relays. */
export interface RelayKnowledge {
  healthOf(relay: number, family: 4 | 6): AddressHealth | null;
  isDrained(relay: number): boolean;
  now(): number;
}

/** Without probes and drains. */
export const NOTHING_KNOWN: RelayKnowledge = { healthOf: () => null, isDrained: () => false, now: () => 0 };

/** Lists each address of each relay, in the order of the configuration. */
export function relayStatuses(
  { regions, relays, groups }: CatalogTables,
  routes: RelayRoutes,
  known: RelayKnowledge,
): RelayStatus[] {
  return regions.flatMap(({ relays: indexes }, region) =>
    indexes.flatMap((index) =>
      ([4, 6] as const).flatMap((family) => {
        const relay = relays[index];
        const address = addressOf(relay, family);
        if (address === null) return [];
        const given = [...groups.keys()].some((group) => routes.given(region, group, family).includes(index));
        return [{ ...statusOf(index, family, known), ...describe(relay), address, given }];
      }),
    ),
  );
}

/** Formats a relay's address; null if it has none of that family. */
export function addressOf({ address4, address6 }: Relay, family: 4 | 6): string | null {
  const bytes = family === 4 ? address4 : address6;
  return bytes === null ? null : formatAddress({ family, bytes });
}

/** `192.0.2.10 up, 24 ms` */
export function statusText({ address, state, latest, handshakeMs, given }: RelayStatus): string {
  const reason = state === 'down' && latest !== null ? ` (${latest})` : '';
  const time = state === 'up' && handshakeMs !== null ? `, ${Math.round(handshakeMs)} ms` : '';
  const left = given && state !== 'up' && state !== 'not-probed' ? ', still in the answers' : '';
  return `${address} ${state.replace('-', ' ')}${reason}${time}${left}`;
}

function describe({ region, group, weight }: Relay): Pick<RelayStatus, 'region' | 'group' | 'weight'> {
  return { region, group, weight };
}

function statusOf(
  index: number,
  family: 4 | 6,
  { healthOf, isDrained, now }: RelayKnowledge,
): Pick<RelayStatus, 'state' | 'latest' | 'handshakeMs' | 'forSeconds'> {
  const health = healthOf(index, family);
  const drained = isDrained(index);
  if (health === null) {
    return { state: drained ? 'drained' : 'not-probed', latest: null, handshakeMs: null, forSeconds: null };
  }
  const { latest, handshakeMs, isUp, sinceMs } = health;
  const state = drained ? 'drained' : latest === null ? 'not-probed' : isUp ? 'up' : 'down';
  return { state, latest, handshakeMs, forSeconds: Math.round((now() - sinceMs) / 1000) };
}
