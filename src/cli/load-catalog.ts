import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BundleStore, parsePublicKey } from '../catalog/bundle/index.ts';
import {
  buildCatalog,
  type CatalogTables,
  type Finding,
  formatFinding,
  hasErrors,
  loadServices,
  readServiceFiles,
  type ServiceFile,
} from '../catalog/index.ts';
import { type Config, DEFAULT_CONFIG_FILE, type LoadedConfig } from '../config/index.ts';

/** Default of `catalog.services`. */
const DEFAULT_SERVICES = 'services/*.yaml';
const DIGEST_DIGITS = 12;

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
  /** Twelve hexadecimal digits of a digest over the service files. */
  readonly digest: string;
  /** Version of the bundle that it came from; null: service files. */
  readonly bundleVersion: number | null;
  readonly warnings: readonly string[];
  /** Findings that are as expected with the shipped catalog. */
  readonly notes: readonly string[];
}

/** Version of a catalog for people and metrics: the bundle's number, or the digest of the service files. */
export function catalogVersion(catalog: Pick<LoadedCatalog, 'bundleVersion' | 'digest'>): string {
  return catalog.bundleVersion === null ? catalog.digest : String(catalog.bundleVersion);
}

/**
 * Reads the catalog of a configuration and builds its tables: the bundle that this host took last, else the service files.
 * @param seed name-hash seed; any will do if nothing is looked up
 * @throws CatalogError with every error; BundleError if the bundle's file is damaged
 */
export async function loadCatalog(loaded: LoadedConfig, seed: number): Promise<LoadedCatalog> {
  const bundle = bundleStoreOf(loaded.config)?.readCurrent() ?? null;
  const files = bundle?.files ?? (await configuredServiceFiles(loaded));
  return { ...buildFrom(files, loaded, seed), bundleVersion: bundle?.version ?? null };
}

/** Builds tables from service files. @throws CatalogError with every error */
export function buildFrom(
  files: readonly ServiceFile[],
  { config, file }: LoadedConfig,
  seed: number,
): Omit<LoadedCatalog, 'bundleVersion'> {
  const services = loadServices(files);
  const notes: Finding[] = [...services.findings];
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
  return { tables: built.catalog, digest: digestOf(files), warnings: lines('warning'), notes: lines('info') };
}

function digestOf(files: readonly ServiceFile[]): string {
  const hash = createHash('sha256');
  for (const { text } of files) hash.update(text).update('\0');
  return hash.digest('hex').slice(0, DIGEST_DIGITS);
}

/** Bundles of this host; null if the configuration names none. */
export function bundleStoreOf({ catalog, dataDir }: Config): BundleStore | null {
  const { url, publicKey } = catalog.bundle;
  const key = publicKey === null ? null : parsePublicKey(publicKey);
  return url === null || key === null ? null : new BundleStore(join(dataDir, 'catalog'), key);
}

/** Reads the files that `catalog.services` matches. @throws CatalogError */
export async function configuredServiceFiles(loaded: LoadedConfig): Promise<ServiceFile[]> {
  const patterns = loaded.config.catalog.services;
  const found = await readServiceFiles({
    patterns,
    directory: servicesDirectory(loaded),
    configFile: loaded.file,
  });
  if (hasErrors(found.findings)) throw errorOf([...found.findings, ...loadServices(found.files).findings]);
  return found.files;
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
