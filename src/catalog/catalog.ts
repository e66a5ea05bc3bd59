import type { Finding } from './finding.ts';
import { describeValue, hasErrors } from './finding.ts';
import type { GroupModel, GroupOptions } from './group.ts';
import { NameOwners, readGroups } from './group.ts';
import type { NameTableHandle } from './name-table.ts';
import { buildNameTable } from './name-table.ts';
import type { Region, RegionModel, RegionOptions, Relay } from './relay.ts';
import { readRegions } from './relay.ts';
import type { AllDown } from './relay-routes.ts';
import { listsOf, MAX_LISTS, RelayRoutes } from './relay-routes.ts';
import type { Service } from './service.ts';

/** A row has a byte per service for each of 65,536 profiles, which bounds the services. */
export const MAX_SERVICES = 4096;

/** Everything that readers need and no account changes. */
export interface CatalogTables {
  /** Key of the name hashes; questions must be parsed with the same. */
  readonly seed: number;
  readonly services: readonly Service[];
  readonly regions: readonly Region[];
  readonly relays: readonly Relay[];
  readonly defaultRegion: string;
  /** Group ids by number; null for 0. */
  readonly groups: readonly (string | null)[];
  readonly names: NameTableHandle;
  /** Routes with all relays up. */
  readonly routes: RelayRoutes;
  /** 4 bytes a relay. */
  readonly addresses4: SharedArrayBuffer;
  /** 16 bytes a relay. */
  readonly addresses6: SharedArrayBuffer;
}

export interface CatalogOptions {
  /** From loadServices, without errors. */
  readonly services: readonly Service[];
  readonly regions: RegionOptions;
  readonly defaultRegion: string;
  /** Names that get relays of their own, where there are any. */
  readonly groups?: GroupOptions;
  /** Steering of a region without a healthy relay; default last-good. */
  readonly allDown?: AllDown;
  /** Host names that relays are probed with. They must be in the catalog, because relays serve no others. */
  readonly probeNames?: readonly string[];
  /** 32 bits; the same that questions are hashed with. */
  readonly seed: number;
  /** Names the file in findings about regions. */
  readonly configFile?: string;
}

/**
 * Builds the tables of the catalog. `catalog` is null after an error; warnings are returned beside it. A
 * configured region without relays is an error; services without relays in any of their regions are one
 * warning.
 */
export function buildCatalog(options: CatalogOptions): {
  catalog: CatalogTables | null;
  findings: Finding[];
} {
  const { services, defaultRegion, seed, configFile = 'config' } = options;
  const groups = readGroups(options.groups ?? {}, services, configFile);
  const model = readRegions(options.regions, defaultRegion, groups.ids, configFile);
  const findings = [
    ...groups.findings,
    ...model.findings,
    ...groupFindings(groups, model, configFile),
    ...probeNameFindings(options.probeNames ?? [], new NameOwners(services), configFile),
    ...idleServices(services, model, configFile),
  ];
  if (services.length > MAX_SERVICES) {
    const found = `${services.length} services`;
    findings.push({
      severity: 'error',
      file: configFile,
      line: null,
      path: 'catalog.services',
      found,
      expected: `at most ${MAX_SERVICES}`,
    });
  }
  if (hasErrors(findings)) return { catalog: null, findings };
  const { regions, relays } = model;
  const { allDown = 'last-good' } = options;
  const catalog: CatalogTables = {
    seed,
    services,
    regions,
    relays,
    defaultRegion,
    groups: groups.ids,
    names: buildNameTable(services, seed, groups),
    routes: RelayRoutes.build({ regions, relays, groups: groups.ids, allDown }),
    addresses4: packAddresses(relays, 4),
    addresses6: packAddresses(relays, 16),
  };
  return { catalog, findings };
}

/** Findings about groups and regions in combination. */
function groupFindings({ ids }: GroupModel, { regions, relays }: RegionModel, file: string): Finding[] {
  const findings: Finding[] = [];
  const note = (severity: Finding['severity'], path: string, found: string, expected: string): void => {
    findings.push({ severity, file, line: null, path, found, expected });
  };
  for (const id of ids) {
    if (id === null || relays.some(({ group }) => group === id)) continue;
    const found = `${describeValue(id)}, which no relay has, so that its names get the relays without a group`;
    note('warning', `catalog.groups.${id}`, found, 'relays of that group');
  }
  const lists = listsOf({ regions, relays, groups: ids });
  if (lists.length > MAX_LISTS) {
    note('error', 'regions', `${lists.length} pairs of a region and a group`, `at most ${MAX_LISTS}`);
  }
  for (const { region, group } of lists) {
    const own = (id: string | null) => regions[region].relays.filter((index) => relays[index].group === id);
    const hasIPv6 = (indexes: readonly number[]) => indexes.some((index) => relays[index].address6 !== null);
    if (group === 0 || hasIPv6(own(ids[group])) || !hasIPv6(own(null))) continue;
    const found = `no IPv6 address in group ${ids[group]}, so that AAAA of its names is answered empty there`;
    note('warning', `regions.${regions[region].region}.relays`, found, 'address6 of one of its relays');
  }
  return findings;
}

function probeNameFindings(names: readonly string[], owners: NameOwners, file: string): Finding[] {
  return names.flatMap((name, index) => {
    if (owners.of(name) !== undefined) return [];
    const [path, expected] = [`health.names[${index}]`, 'a name of the catalog'];
    return [{ severity: 'error', file, line: null, path, found: describeValue(name), expected }];
  });
}

function packAddresses(relays: readonly Relay[], size: 4 | 16): SharedArrayBuffer {
  const handle = new SharedArrayBuffer(relays.length * size);
  const bytes = new Uint8Array(handle);
  for (const [index, relay] of relays.entries()) {
    const address = size === 4 ? relay.address4 : relay.address6;
    if (address !== null) bytes.set(address, index * size);
  }
  return handle;
}

/** Services that a warning names. */
const NAMED_IDLE_SERVICES = 5;

/**
 * Lists services without relays in any of their regions, in one line: a shipped catalog covers the world,
 * most configurations a few countries.
 */
function idleServices(services: readonly Service[], model: RegionModel, file: string): Finding[] {
  const serving = new Set(model.regions.filter((region) => region.serves).map((region) => region.region));
  const idle = services.filter(({ regions }) => !regions.some((region) => serving.has(region)));
  if (idle.length === 0) return [];
  const named = idle.slice(0, NAMED_IDLE_SERVICES).map(({ service }) => service);
  const more = idle.length > named.length ? ` and ${idle.length - named.length} more` : '';
  const ids = named.join(', ') + more;
  return [
    {
      severity: 'info',
      file,
      line: null,
      path: 'catalog.services',
      found: `${idle.length} services of which no region has relays, so that they resolve as usual: ${ids}`,
      expected: 'relays in one region of each',
    },
  ];
}
