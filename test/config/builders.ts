import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, type LoadedConfig, loadConfig } from '../../src/config/index.ts';

/** Smallest valid configuration. */
export const REGIONS = 'regions: { us: { relays: [{ address: 203.0.113.1 }] } }';

const FILE = 'test.yaml';

/** Loads `text` as a file named `test.yaml`. */
export function load(text: string | Uint8Array, env: Record<string, string> = {}): LoadedConfig {
  const directory = mkdtempSync(join(tmpdir(), 'config-'));
  try {
    writeFileSync(join(directory, FILE), text);
    return loadConfig({ file: FILE, env, cwd: directory });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Lists the errors in `text` without file name and line. */
export function problemsOf(text: string | Uint8Array, env: Record<string, string> = {}): string[] {
  return linesOf(text, env).map((line) => line.replace(/^test\.yaml(?::\d+)?: /, ''));
}

/** Lists the errors in `text` as printed. */
export function linesOf(text: string | Uint8Array, env: Record<string, string> = {}): readonly string[] {
  try {
    load(text, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
