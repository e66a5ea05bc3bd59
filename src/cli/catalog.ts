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

/** A catalog with errors; the message has one line for each. */
export class CatalogError extends Error {
  readonly code = 'invalid_catalog';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'CatalogError';
    this.problems = problems;
  }
}

export interface LoadedCatalog {
  readonly tables: CatalogTables;
  readonly warnings: readonly string[];
}

/**
 * Reads the service files of a configuration and builds the catalog's tables.
 * @param seed name-hash seed; any will do if nothing is looked up
 * @throws CatalogError with every error
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
