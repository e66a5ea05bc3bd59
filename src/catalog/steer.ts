import type { CatalogTables } from './catalog.ts';
import type { NameTableHandle } from './name-table.ts';
import type { RelayConditions } from './relay-condition.ts';
import type { RelayRoutes } from './relay-routes.ts';

/** Choices of an account, by name, because the configuration may have changed since. */
export interface SteeringProfile {
  readonly region: string;
  /** Service to region, or `off`. */
  readonly services: Readonly<Record<string, string>>;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /** True if nobody has shown that the address is theirs. */
  readonly told?: boolean;
}

/** Everything that a reader attaches to; plain data to post to threads. */
export interface CatalogHandle {
  readonly seed: number;
  readonly serviceCount: number;
  readonly names: NameTableHandle;
  /** Number of groups, including 0. */
  readonly groupCount: number;
  /** From RelayRoutes, like `orders`. */
  readonly lists: SharedArrayBuffer;
  readonly orders: SharedArrayBuffer;
  readonly addresses4: SharedArrayBuffer;
  readonly addresses6: SharedArrayBuffer;
  /**
   * One row a profile: its families, then for each service the region's index plus one, then that of the account's own
   * region. An untouched row is all zero: everything resolves as usual.
   */
  readonly rows: SharedArrayBuffer;
}

/** Profile ids have 16 bits. Only rows in use take physical memory. */
export const PROFILES = 0x1_0000;
export const FAMILY_IPV4 = 1;
export const FAMILY_IPV6 = 2;
/** In the byte of families: the address was told, not seen. */
export const ADDRESS_TOLD = 4;
/** Bytes of a profile's row. */
export function rowBytes(serviceCount: number): number {
  return serviceCount + 2;
}

/** In a row: resolve as usual. */
const AS_USUAL = 0;

/** A catalog with the rows computed for it. */
class Generation {
  handle: CatalogHandle;
  routes: RelayRoutes;
  private readonly catalog: CatalogTables;
  private readonly rows: Uint8Array;
  private readonly regionIndex = new Map<string, number>();

  constructor(catalog: CatalogTables) {
    const serviceCount = catalog.services.length;
    const { seed, names, routes, addresses4, addresses6 } = catalog;
    const { groupCount, lists, orders } = routes;
    const rows = new SharedArrayBuffer(PROFILES * rowBytes(serviceCount));
    this.catalog = catalog;
    this.routes = routes;
    this.handle = { seed, serviceCount, names, groupCount, lists, orders, addresses4, addresses6, rows };
    this.rows = new Uint8Array(rows);
    for (const [index, region] of catalog.regions.entries()) {
      if (region.serves) this.regionIndex.set(region.region, index);
    }
  }

  useConditions(conditions: RelayConditions): void {
    this.routes = this.routes.withConditions(conditions);
    const { lists, orders } = this.routes;
    this.handle = { ...this.handle, lists, orders };
  }

  write(id: number, profile: SteeringProfile): void {
    const { serviceCount } = this.handle;
    const base = id * rowBytes(serviceCount);
    for (const [index, service] of this.catalog.services.entries()) {
      const chosen = Object.hasOwn(profile.services, service.service)
        ? (profile.services[service.service] as string)
        : null;
      this.rows[base + 1 + index] = this.choose(service.regions, chosen, profile.region);
    }
    this.rows[base + 1 + serviceCount] = this.choose([...this.regionIndex.keys()], null, profile.region);
    this.rows[base] =
      (profile.ipv4 ? FAMILY_IPV4 : 0) | (profile.ipv6 ? FAMILY_IPV6 : 0) | (profile.told ? ADDRESS_TOLD : 0);
  }

  /**
   * The choice for the service wins, then the account's region, then the first region of the service; each
   * only if the service lists it and it has relays.
   */
  private choose(listed: readonly string[], chosen: string | null, accountRegion: string): number {
    if (chosen === 'off') return AS_USUAL;
    if (chosen !== null && listed.includes(chosen)) {
      const index = this.regionIndex.get(chosen);
      if (index !== undefined) return index + 1;
    }
    if (listed.includes(accountRegion)) {
      const index = this.regionIndex.get(accountRegion);
      if (index !== undefined) return index + 1;
    }
    for (const region of listed) {
      const index = this.regionIndex.get(region);
      if (index !== undefined) return index + 1;
    }
    return AS_USUAL;
  }
}

/**
 * Writes the catalog's shared memory: the region of each service for each profile. Belongs to one thread;
 * CatalogView reads in any.
 */
export class Steering {
  private readonly profiles = new Map<number, SteeringProfile>();
  private current: Generation;
  /** Threads read the old rows until they attach the new ones, so new profiles are written to both. */
  private previous: Generation | null = null;

  constructor(catalog: CatalogTables) {
    this.current = new Generation(catalog);
  }

  handle(): CatalogHandle {
    return this.current.handle;
  }

  /** Routes of the latest handle. */
  get routes(): RelayRoutes {
    return this.current.routes;
  }

  /**
   * Leaves unhealthy relays out. @param conditions of the current catalog's relays
   * @returns a new handle with the same rows, which needs no `settled`
   */
  useConditions(conditions: RelayConditions): CatalogHandle {
    this.current.useConditions(conditions);
    return this.current.handle;
  }

  get profileCount(): number {
    return this.profiles.size;
  }

  /** Writes the row of a profile (1 to 65535). Must precede the id's use in the allowlist. */
  setProfile(id: number, profile: SteeringProfile): void {
    if (!Number.isInteger(id) || id < 1 || id >= PROFILES)
      throw new RangeError('profile number out of range');
    this.profiles.set(id, profile);
    this.current.write(id, profile);
    this.previous?.write(id, profile);
  }

  /** Forgets a profile. Its row stays, because a reader may just have looked its id up. */
  dropProfile(id: number): void {
    this.profiles.delete(id);
  }

  /**
   * Computes the rows of all live profiles for another catalog, in new memory, and returns the new handle.
   * @param conditions of the new catalog's relays; default: all up
   */
  rebuild(catalog: CatalogTables, conditions?: RelayConditions): CatalogHandle {
    const next = new Generation(catalog);
    if (conditions !== undefined) next.useConditions(conditions);
    for (const [id, profile] of this.profiles) next.write(id, profile);
    this.previous = this.current;
    this.current = next;
    return next.handle;
  }

  /** Releases the previous rows. Call it when every thread has attached the latest handle. */
  settled(): void {
    this.previous = null;
  }
}
