import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OpenRegistryOptions, openRegistry, type Registry } from '../../src/registry/index.ts';

/** The registry itself, on a directory of its own that goes with it. */
export interface DiskRegistry {
  registry: Registry;
  /** Its clock, in milliseconds. */
  clock: { nowMs: number };
  close(): Promise<void>;
}

export async function openDiskRegistry(changes: Partial<OpenRegistryOptions> = {}): Promise<DiskRegistry> {
  const dataDir = await mkdtemp(join(tmpdir(), 'registry-'));
  const clock = { nowMs: Date.UTC(2026, 0, 1) };
  const registry = await openRegistry({
    store: 'embedded',
    dataDir,
    perAccount: 5,
    leaseDays: 90,
    allowPrivate: false,
    defaultRegion: () => 'us',
    regions: () => ['us', 'gb', 'atlantis'],
    isOwn: () => false,
    now: () => clock.nowMs,
    randomBytes,
    privateNameKey: randomBytes(32),
    ...changes,
  });
  return {
    registry,
    clock,
    close: async () => {
      await registry.close();
      await rm(dataDir, { recursive: true });
    },
  };
}
