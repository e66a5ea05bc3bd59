import { type AllowlistReader, NOT_REGISTERED } from '../allowlist/index.ts';
import { type CatalogView, NO_SERVICE } from '../catalog/lookup/index.ts';
import type { HostName } from './host-name.ts';
import type { ClientSource, PrefixSet } from './source.ts';

/** Who may use the relay, and to where: the one place where that is decided. */
export class Admission {
  readonly allowlist: AllowlistReader;
  readonly catalog: CatalogView;
  private readonly probeSources: PrefixSet;

  constructor(allowlist: AllowlistReader, catalog: CatalogView, probeSources: PrefixSet) {
    this.allowlist = allowlist;
    this.catalog = catalog;
    this.probeSources = probeSources;
  }

  /** Whether a source is registered, or is an edge that probes. True for an open tunnel as long as it may stay. */
  admits(source: ClientSource): boolean {
    return this.allowlist.lookup(source) !== NOT_REGISTERED || this.probeSources.has(source.address);
  }

  /** Whether a source is an edge that probes the relay. */
  isProbe({ address }: ClientSource): boolean {
    return this.probeSources.has(address);
  }

  /** The index of the service that the name belongs to, or NO_SERVICE: then it is not relayed. */
  serviceOf(name: HostName): number {
    return this.catalog.match(name);
  }
}

export { NO_SERVICE };
