import { type CheckedEntry, entriesOf } from '../../catalog/health/index.ts';
import type { CatalogTables } from '../../catalog/index.ts';
import { findName } from '../../catalog/lookup/index.ts';
import { UsageError } from '../command.ts';
import { addressOf } from '../serve/tables/relay-status.ts';
import type { CheckServiceOptions } from './options.ts';

/** Names to check, and the relay for each. */
export interface CheckPlan {
  readonly service: string;
  readonly region: string | null;
  readonly entries: readonly CheckedEntry[];
  /** Returns the relay's address for a host name. */
  relayFor(host: string): string;
}

/** @param seed name-hash seed of the catalog @throws UsageError for an unknown name, or a region without relays */
export function planCheck(
  catalog: CatalogTables,
  { name, relay, region: wanted }: CheckServiceOptions,
  seed: number,
): CheckPlan {
  const isHost = name.includes('.');
  const index = isHost
    ? (findName(catalog.names, seed, name)?.service ?? -1)
    : catalog.services.findIndex(({ service }) => service === name);
  if (index < 0) {
    throw new UsageError(`expected a service or a name of the catalog, found ${JSON.stringify(name)}`);
  }
  const service = catalog.services[index];
  const entries = isHost ? [{ name, isSuffix: false, hosts: [name] }] : entriesOf(service);
  if (relay !== null) return { service: service.service, region: wanted, entries, relayFor: () => relay };
  const serving = catalog.regions.filter(({ serves }) => serves).map(({ region }) => region);
  const region = wanted ?? service.regions.find((listed) => serving.includes(listed));
  if (region === undefined || !serving.includes(region)) {
    throw new UsageError(`expected a region that has relays, one of ${serving.join(', ')}`);
  }
  const relayFor = (host: string) => heaviestRelay(catalog, region, host, seed);
  return { service: service.service, region, entries, relayFor };
}

/** Returns the relay that most homes get for a name. */
function heaviestRelay(
  { regions, relays, routes, names }: CatalogTables,
  region: string,
  host: string,
  seed: number,
): string {
  const index = regions.findIndex((known) => known.region === region);
  const group = findName(names, seed, host)?.group ?? 0;
  for (const family of [4, 6] as const) {
    const given = routes.given(index, group, family).toSorted((a, b) => relays[b].weight - relays[a].weight);
    if (given.length > 0) return addressOf(relays[given[0]], family)!;
  }
  throw new TypeError('a serving region has a relay');
}
