import type { Fault } from './fault.ts';
import { hasFaults } from './fault.ts';
import type { NameTableShare } from './name-table.ts';
import { buildNameTable } from './name-table.ts';
import type { Region, RegionModel, RegionOptions, Relay } from './relay.ts';
import { readRegions } from './relay.ts';
import { fillOrders, orderLength } from './relay-order.ts';
import type { Service } from './service.ts';

/** A row holds a byte a service for each of 65,536 profiles, so that services are bounded. */
export const MAX_SERVICES = 4096;

/** What every reader needs and no account changes. */
export interface CatalogTables {
  /** The key of the name hashes: questions must be parsed with the same. */
  readonly seed: number;
  readonly services: readonly Service[];
  readonly regions: readonly Region[];
  readonly relays: readonly Relay[];
  readonly defaultRegion: string;
  readonly names: NameTableShare;
  /** Uint16 relay indexes; relay-order.ts has the layout. */
  readonly orders: SharedArrayBuffer;
  /** 4 bytes a relay. */
  readonly addresses4: SharedArrayBuffer;
  /** 16 bytes a relay. */
  readonly addresses6: SharedArrayBuffer;
}

export interface CatalogOptions {
  /** From loadServices, free of faults. */
  readonly services: readonly Service[];
  readonly regions: RegionOptions;
  readonly defaultRegion: string;
  /** 32 bits; the same that questions are hashed with. */
  readonly seed: number;
  /** Named in faults of the regions. */
  readonly configFile?: string;
}

/**
 * Builds the tables of the catalogue. `catalog` is null if there is a fault; warnings do not hinder.
 * A configured region without relays is a fault; services of which no region has relays are a warning.
 */
export function buildCatalog(options: CatalogOptions): { catalog: CatalogTables | null; faults: Fault[] } {
  const { services, defaultRegion, seed, configFile = 'config' } = options;
  const model = readRegions(options.regions, defaultRegion, configFile);
  const faults = [...model.faults, ...idleServices(services, model, configFile)];
  if (services.length > MAX_SERVICES) {
    const found = `${services.length} services`;
    faults.push({
      severity: 'fault',
      file: configFile,
      line: null,
      path: 'catalog.services',
      found,
      expected: `at most ${MAX_SERVICES}`,
    });
  }
  if (hasFaults(faults)) return { catalog: null, faults };
  const { regions, relays } = model;
  const orders = new SharedArrayBuffer(orderLength(regions.length) * 2);
  fillOrders(regions, relays, new Uint16Array(orders));
  const catalog: CatalogTables = {
    seed,
    services,
    regions,
    relays,
    defaultRegion,
    names: buildNameTable(services, seed),
    orders,
    addresses4: packAddresses(relays, 4),
    addresses6: packAddresses(relays, 16),
  };
  return { catalog, faults };
}

function packAddresses(relays: readonly Relay[], size: 4 | 16): SharedArrayBuffer {
  const share = new SharedArrayBuffer(relays.length * size);
  const bytes = new Uint8Array(share);
  for (const [index, relay] of relays.entries()) {
    const address = size === 4 ? relay.address4 : relay.address6;
    if (address !== null) bytes.set(address, index * size);
  }
  return share;
}

/** How many of them a warning names. */
const NAMED_IDLE_SERVICES = 5;

/**
 * Services that can be given from nowhere. One warning tells of them all: a shipped catalogue covers the world, and
 * most configurations a few countries of it.
 */
function idleServices(services: readonly Service[], model: RegionModel, file: string): Fault[] {
  const serving = new Set(model.regions.filter((region) => region.serves).map((region) => region.region));
  const idle = services.filter(({ regions }) => !regions.some((region) => serving.has(region)));
  if (idle.length === 0) return [];
  const named = idle.slice(0, NAMED_IDLE_SERVICES).map(({ service }) => service);
  const more = idle.length > named.length ? ` and ${idle.length - named.length} more` : '';
  const ids = named.join(', ') + more;
  return [
    {
      severity: 'warning',
      file,
      line: null,
      path: 'catalog.services',
      found: `${idle.length} services of which no region has relays, so that they resolve as usual: ${ids}`,
      expected: 'relays in one region of each',
    },
  ];
}
