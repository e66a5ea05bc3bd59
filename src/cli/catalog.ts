import {
  buildCatalog,
  type CatalogTables,
  type Finding,
  formatFinding,
  hasErrors,
  loadServices,
  readServiceFiles,
} from '../catalog/index.ts';
import type { LoadedConfig } from '../config/index.ts';

/** The catalog that a configuration names has faults; the message holds each as a line. */
export class CatalogError extends Error {
  readonly code = 'CATALOGUE';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

export interface LoadedCatalog {
  readonly tables: CatalogTables;
  readonly warnings: readonly string[];
}

/**
 * Reads the service files of a configuration and builds the catalog's tables.
 * @param seed of the hashes of names; of no matter where nothing is looked up
 * @throws CatalogError with every fault
 */
export async function loadCatalog(loaded: LoadedConfig, seed: number): Promise<LoadedCatalog> {
  const { config, directory, file } = loaded;
  const found = await readServiceFiles({ patterns: config.catalog.services, directory, configFile: file });
  const services = loadServices(found.files);
  const notes: Finding[] = [...found.findings, ...services.findings];
  if (hasErrors(notes)) throw errorOf(notes);
  const { regions, defaultRegion, health } = config;
  const built = buildCatalog({
    services: services.services,
    regions,
    defaultRegion,
    groups: config.catalog.groups,
    allDown: health.allDown,
    probeNames: health.names,
    seed,
    configFile: file,
  });
  notes.push(...built.findings);
  if (built.catalog === null) throw errorOf(notes);
  const warnings = notes.filter(({ severity }) => severity === 'warning').map(formatFinding);
  return { tables: built.catalog, warnings };
}

function errorOf(notes: readonly Finding[]): CatalogError {
  return new CatalogError(notes.filter(({ severity }) => severity === 'error').map(formatFinding));
}
