import { type AllowlistReader, NOT_REGISTERED } from '../allowlist/index.ts';
import { type CatalogView, NO_SERVICE } from '../catalog/lookup/index.ts';
import type { HostName } from './host-name.ts';
import type { ClientSource, PrefixSet } from './source.ts';

/** Decides who may use the relay, and for which names. */
export class Admission {
  readonly allowlist: AllowlistReader;
  readonly catalog: CatalogView;
  probeSources: PrefixSet;

  constructor(allowlist: AllowlistReader, catalog: CatalogView, probeSources: PrefixSet) {
    this.allowlist = allowlist;
    this.catalog = catalog;
    this.probeSources = probeSources;
  }

  /**
   * Returns true for a registered source or a probing edge. An open tunnel may stay as long as this holds.
   */
  admits(source: ClientSource): boolean {
    return this.isRegistered(source) || this.isProbe(source);
  }

  isRegistered(source: ClientSource): boolean {
    return this.allowlist.lookup(source) !== NOT_REGISTERED;
  }

  /** Returns true for an edge that probes the relay. */
  isProbe(source: ClientSource): boolean {
    return this.probeSources.hasClient(source);
  }

  /** Index of the service that the name belongs to; NO_SERVICE if it is outside the catalog. */
  serviceOf(name: HostName): number {
    return this.catalog.match(name);
  }
}

export { NO_SERVICE };
