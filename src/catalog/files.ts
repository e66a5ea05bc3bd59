import { glob, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Fault } from './fault.ts';
import type { ServiceFile } from './service-file.ts';

export interface FoundFiles {
  /** Sorted by path, so that service indexes do not depend on the directory's order. */
  readonly files: ServiceFile[];
  readonly faults: Fault[];
}

function fileFault(file: string, path: string, found: string, expected: string): Fault {
  return { severity: 'fault', file, line: null, path, found, expected };
}

/**
 * Reads the catalog files that `patterns` (node:fs glob patterns) name, relative to `directory`.
 * A pattern that finds nothing and a file that cannot be read are faults.
 *
 * @param key path of the config key that holds the patterns, for faults
 */
export async function readServiceFiles(options: {
  patterns: readonly string[];
  directory: string;
  configFile: string;
  key?: string;
}): Promise<FoundFiles> {
  const { patterns, directory, configFile, key = 'catalog.services' } = options;
  const paths = new Set<string>();
  const faults: Fault[] = [];
  for (const [index, pattern] of patterns.entries()) {
    const before = paths.size;
    let seen = 0;
    for await (const path of glob(pattern, { cwd: directory })) {
      paths.add(resolve(directory, path));
      seen++;
    }
    if (seen === 0 && paths.size === before) {
      const found = `${JSON.stringify(pattern)}, which names no file`;
      faults.push(fileFault(configFile, `${key}[${index}]`, found, `a file below ${directory}`));
    }
  }
  const files: ServiceFile[] = [];
  for (const path of [...paths].sort()) {
    try {
      files.push({ path, text: await readFile(path, 'utf8') });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'an error';
      faults.push(fileFault(path, '', code, 'a file that can be read'));
    }
  }
  return { files, faults };
}
