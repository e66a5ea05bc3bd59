import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { BundleError, readUncheckedBundle } from '../../catalog/bundle/index.ts';
import type { ServiceFile } from '../../catalog/index.ts';
import {
  formatFinding,
  hasErrors,
  loadServices,
  readServiceFiles,
  type Service,
} from '../../catalog/index.ts';
import type { LoadedConfig } from '../../config/index.ts';
import { type Io, UsageError } from '../command.ts';
import { CatalogError, configuredServiceFiles } from '../load-catalog.ts';

/** Mode of the files that the actions write: they hold nothing secret. */
export const OUTPUT_MODE = 0o644;

/** The one positional argument of an action. @throws UsageError */
export function onlyArgument(positionals: readonly string[], name: string): string {
  const [first, ...more] = positionals;
  if (first === undefined || more.length > 0) throw new UsageError(`expected one ${name}`);
  return first;
}

/** Reads a file. @throws BundleError */
export function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'not readable';
    throw new BundleError('bundle_unavailable', `${path}: ${code}`);
  }
}

/** Service files of the configuration, by their names alone. @throws CatalogError if two have one name, or one is unreadable */
export async function filesOfConfig(loaded: LoadedConfig): Promise<ServiceFile[]> {
  return byName(await configuredServiceFiles(loaded));
}

/** Service files of a bundle or of a directory. @throws BundleError, CatalogError */
export async function filesAt(path: string, io: Io): Promise<ServiceFile[]> {
  const place = resolve(io.cwd, path);
  const found = await readServiceFiles({ patterns: ['*.yaml'], directory: place, configFile: path, key: '' });
  if (found.files.length > 0) {
    throwErrors(found.findings);
    return byName(found.files);
  }
  return [...readUncheckedBundle(readBytes(place)).files];
}

/** Parses service files and checks them against each other. @throws CatalogError */
export function servicesOf(files: readonly ServiceFile[]): Service[] {
  const { services, findings } = loadServices(files);
  throwErrors(findings);
  return services;
}

function throwErrors(findings: Parameters<typeof hasErrors>[0]): void {
  if (!hasErrors(findings)) return;
  throw new CatalogError(findings.filter(({ severity }) => severity === 'error').map(formatFinding));
}

function byName(files: readonly ServiceFile[]): ServiceFile[] {
  const names = new Set<string>();
  return files.map(({ path, text }) => {
    const name = basename(path);
    if (names.has(name)) throw new CatalogError([`${path}: found a second ${name}, expected each name once`]);
    names.add(name);
    return { path: name, text };
  });
}
