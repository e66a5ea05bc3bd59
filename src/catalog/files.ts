import { glob, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ServiceFile } from './file-reader.ts';
import type { Finding } from './finding.ts';

export interface FoundFiles {
  /** Sorted by path, so that service indexes do not depend on the directory's order. */
  readonly files: ServiceFile[];
  readonly findings: Finding[];
}

function fileError(file: string, path: string, found: string, expected: string): Finding {
  return { severity: 'error', file, line: null, path, found, expected };
}

/**
 * Reads the catalog files that `patterns` (globs of node:fs) match, relative to `directory`. A pattern
 * without a match and an unreadable file are errors.
 *
 * @param options.key path of the config key that holds the patterns, for findings
 */
export async function readServiceFiles(options: {
  patterns: readonly string[];
  directory: string;
  configFile: string;
  key?: string;
}): Promise<FoundFiles> {
  const { patterns, directory, configFile, key = 'catalog.services' } = options;
  const paths = new Set<string>();
  const findings: Finding[] = [];
  for (const [index, pattern] of patterns.entries()) {
    const before = paths.size;
    let seen = 0;
    for await (const path of glob(pattern, { cwd: directory })) {
      paths.add(resolve(directory, path));
      seen++;
    }
    if (seen === 0 && paths.size === before) {
      const found = `${JSON.stringify(pattern)}, which names no file`;
      findings.push(fileError(configFile, `${key}[${index}]`, found, `a file below ${directory}`));
    }
  }
  const files: ServiceFile[] = [];
  for (const path of [...paths].sort()) {
    try {
      files.push({ path, text: await readFile(path, 'utf8') });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'an error';
      findings.push(fileError(path, '', code, 'a file that can be read'));
    }
  }
  return { files, findings };
}
