import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  buildCatalog,
  type CatalogTables,
  type Finding,
  formatFinding,
  hasErrors,
  loadServices,
  readServiceFiles,
} from '../catalog/index.ts';
import { DEFAULT_CONFIG_FILE, type LoadedConfig } from '../config/index.ts';

/** Default of `catalog.services`. */
const DEFAULT_SERVICES = 'services/*.yaml';

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
  /** Findings that are as expected with the shipped catalog. */
  readonly notes: readonly string[];
}

/**
 * Reads the service files of a configuration and builds the catalog's tables.
 * @param seed name-hash seed; any will do if nothing is looked up
 * @throws CatalogError with every error
 */
export async function loadCatalog(loaded: LoadedConfig, seed: number): Promise<LoadedCatalog> {
  const { config, file } = loaded;
  const patterns = config.catalog.services;
  const found = await readServiceFiles({ patterns, directory: servicesDirectory(loaded), configFile: file });
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
  const lines = (wanted: string) => notes.filter(({ severity }) => severity === wanted).map(formatFinding);
  return { tables: built.catalog, warnings: lines('warning'), notes: lines('info') };
}

/** Falls back to the shipped services, so that a configuration without `services/` beside it works anywhere. */
function servicesDirectory({ config, directory }: LoadedConfig): string {
  const [first, ...more] = config.catalog.services;
  const isDefault = first === DEFAULT_SERVICES && more.length === 0;
  return isDefault && !existsSync(join(directory, 'services')) ? dirname(DEFAULT_CONFIG_FILE) : directory;
}

function errorOf(notes: readonly Finding[]): CatalogError {
  return new CatalogError(notes.filter(({ severity }) => severity === 'error').map(formatFinding));
}
