import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { AllowlistFollower, AllowlistTable, Profiles } from '../../src/allowlist/index.ts';
import { ReadYourWrites } from '../../src/cli/serve/tables/read-your-writes.ts';
import type { Feed } from '../../src/feed/index.ts';
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

it('does not fail a call for a stall of its own thread, in which the change arrived', async () => {
  let isApplied = false;
  const follower = { hasApplied: () => isApplied } as unknown as AllowlistFollower;
  const feed = { subscribe: () => () => {} } as unknown as Feed;
  const barrier = new ReadYourWrites(follower, feed);
  const { port1, port2 } = new MessageChannel();
  port1.on('message', () => {
    isApplied = true;
    port1.close();
  });
  const reached = barrier.reached(1, 1);
  port2.postMessage('the change');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
  expect(await reached).toBe(true);
});
