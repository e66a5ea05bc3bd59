import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Address, parseAddress } from '../../src/net/index.ts';
import { type OpenRegistryOptions, openRegistry, type Registry } from '../../src/registry/index.ts';
import { openSqliteStore } from '../../src/registry/store/sqlite/open.ts';
import type { Store } from '../../src/registry/store/store.ts';

export const START_MS = Date.UTC(2026, 0, 1);

export class Clock {
  nowMs = START_MS;
  readonly now = (): number => this.nowMs;
}

/** Makes a directory that is removed after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'registry-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function openStore(dataDir: string, options: { logLimit?: number } = {}): Promise<Store> {
  return openSqliteStore({ dataDir, epoch: 'epoch of the test', onFailed: () => {}, ...options });
}

export function registryOptions(changes: Partial<OpenRegistryOptions> = {}): OpenRegistryOptions {
  return {
    store: 'embedded',
    dataDir: changes.dataDir ?? temporaryDirectory(),
    perAccount: 5,
    leaseDays: 90,
    allowPrivate: false,
    defaultRegion: () => 'us',
    regions: () => ['us', 'gb'],
    isOwn: () => false,
    now: () => START_MS,
    randomBytes,
    ...changes,
  };
}

/** Opens a registry that is closed after the test. */
export async function openTestRegistry(changes: Partial<OpenRegistryOptions> = {}): Promise<Registry> {
  const registry = await openRegistry(registryOptions(changes));
  onTestFinished(() => registry.close());
  return registry;
}

export function address(text: string): Address {
  return parseAddress(text)!;
}
