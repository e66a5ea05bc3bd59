import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { openSqliteStore } from '../../src/registry/store/sqlite/open.ts';
import type { Store } from '../../src/registry/store/store.ts';
import { newAccount, registration } from '../contract/store-support.ts';
import { temporaryDirectory } from './support.ts';

async function open(dataDir: string): Promise<{ store: Store; causes: (string | null)[] }> {
  const causes: (string | null)[] = [];
  const store = await openSqliteStore({
    dataDir,
    epoch: 'e',
    onFailed: () => {},
    onHealth: (cause) => causes.push(cause),
  });
  onTestFinished(() => store.close());
  await store.createAccount(newAccount('a'));
  return { store, causes };
}

const write = (store: Store) => store.register(registration('a', '198.51.99.7'));

it('answers no call as done once its directory is deleted', async () => {
  const dataDir = temporaryDirectory();
  const { store, causes } = await open(dataDir);
  rmSync(dataDir, { recursive: true });
  await expect(write(store)).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(store.status().failed).toBe('file-deleted');
  expect(causes).toEqual(['file-deleted']);
});

it('comes back by itself when the file has its name again', async () => {
  const dataDir = temporaryDirectory();
  const { store, causes } = await open(dataDir);
  const path = join(dataDir, 'registry.db');
  renameSync(path, `${path}.away`);
  await vi.waitFor(() => expect(causes).toEqual(['file-deleted']), 10_000);
  renameSync(`${path}.away`, path);
  await vi.waitFor(() => expect(causes).toEqual(['file-deleted', null]), 10_000);
  expect((await write(store)).outcome).toBe('created');
  expect(store.status().failed).toBeNull();
});

it('tells a file that was overwritten', async () => {
  const dataDir = temporaryDirectory();
  const { store, causes } = await open(dataDir);
  writeFileSync(join(dataDir, 'registry.db'), 'x'.repeat(40_960));
  await vi.waitFor(() => expect(causes).toHaveLength(1), 10_000);
  expect(causes[0]).toMatch(/^damaged/);
  expect(store.status().failed).toMatch(/^damaged/);
});
