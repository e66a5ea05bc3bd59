import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, type LoadedConfig, loadConfig } from '../../src/config/index.ts';

/** The least that a configuration must say. */
export const REGIONS = 'regions: { us: { relays: [{ address: 203.0.113.1 }] } }';

const FILE = 'test.yaml';

/** Loads `text` as a file of its own; faults name it as `test.yaml`. */
export function load(text: string | Uint8Array, env: Record<string, string> = {}): LoadedConfig {
  const directory = mkdtempSync(join(tmpdir(), 'config-'));
  try {
    writeFileSync(join(directory, FILE), text);
    return loadConfig({ file: FILE, env, cwd: directory });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The faults of `text`, without the file's name and line. */
export function faultsOf(text: string | Uint8Array, env: Record<string, string> = {}): string[] {
  return linesOf(text, env).map((line) => line.replace(/^test\.yaml(?::\d+)?: /, ''));
}

/** The faults of `text`, as they are printed. */
export function linesOf(text: string | Uint8Array, env: Record<string, string> = {}): readonly string[] {
  try {
    load(text, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}
