import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { AllowlistFollower, AllowlistTable, Profiles } from '../../src/allowlist/index.ts';
import { ReadYourWrites } from '../../src/cli/serve/tables/read-your-writes.ts';
import { parseAddress } from '../../src/net/index.ts';
import { openRegistry, StoreUnavailableError } from '../../src/registry/index.ts';

it('fails a call whose change is not applied, and no other, until it is', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'read-your-writes-'));
  let barrier: ReadYourWrites | null = null;
  const registry = await openRegistry({
    store: 'embedded',
    dataDir,
    perAccount: 5,
    leaseDays: 90,
    allowPrivate: true,
    defaultRegion: () => 'us',
    regions: () => ['us', 'gb'],
    isOwn: () => false,
    now: Date.now,
    randomBytes,
    readYourWrites: async (from, to) => (await barrier?.reached(from, to)) ?? true,
  });
  const profiles = new Profiles({ limit: 1 });
  const table = new AllowlistTable();
  const now = () => performance.now();
  const follower = new AllowlistFollower({ feed: registry.feed, table, profiles, now });
  await follower.start();
  barrier = new ReadYourWrites(follower, registry.feed);
  onTestFinished(async () => {
    barrier?.close();
    follower.stop();
    await registry.close();
    rmSync(dataDir, { recursive: true });
  });
  const [one, two, three] = [
    await registry.createAccount({}),
    await registry.createAccount({ region: 'gb' }),
    await registry.createAccount({}),
  ];
  const register = (id: string, last: number) =>
    registry.register(id, { address: parseAddress(`10.0.0.${last}`)!, source: 'admin' });

  await register(one.account.id, 1);
  await expect(register(two.account.id, 2)).rejects.toThrow(StoreUnavailableError);
  expect(follower.state).toMatchObject({ unapplied: 1, entries: 1 });
  await register(three.account.id, 3);
  expect(follower.state).toMatchObject({ unapplied: 1, entries: 2 });

  await registry.deleteAccount(one.account.id);
  await registry.deleteAccount(three.account.id);
  await expect.poll(() => follower.state.unapplied, { timeout: 20_000 }).toBe(0);
  expect(follower.state.entries).toBe(1);
});
