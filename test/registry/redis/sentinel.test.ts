import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { FeedLink } from '../../../src/registry/store/redis/follow/feed-link.ts';
import { storeFace } from '../../../src/registry/store/redis/redis-store.ts';
import { newAccount, registration } from '../../contract/store-support.ts';
import { freePort, RedisServer } from '../../support/redis-server.ts';
import { openTestStore } from './support.ts';

const WITHIN_MS = 20_000;

async function startSentinel(primary: RedisServer): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-'));
  const port = await freePort();
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${directory}`,
    `sentinel monitor homes 127.0.0.1 ${primary.port} 1`,
    'sentinel down-after-milliseconds homes 500',
    'sentinel failover-timeout homes 3000',
  ];
  writeFileSync(join(directory, 'sentinel.conf'), `${lines.join('\n')}\n`);
  const sentinel = await RedisServer.start({ directory, port, sentinel: true });
  onTestFinished(async () => {
    await sentinel.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  return sentinel;
}

it('Sentinel replaces a primary that dies, and the control continues on the new one', async () => {
  const primary = await RedisServer.start();
  onTestFinished(() => primary.stop());
  const replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', `${primary.port}`] });
  onTestFinished(() => replica.stop());
  const { port } = await startSentinel(primary);
  const opened = await openTestStore(`redis://homes/0?sentinels=127.0.0.1:${port}`);
  onTestFinished(() => opened.close());
  const store = storeFace(opened);
  await store.createAccount(newAccount('a'));
  const client = replica.client();
  onTestFinished(() => client.disconnect());
  const until = async (what: string, isSo: () => boolean | Promise<boolean>): Promise<void> => {
    const deadline = Date.now() + WITHIN_MS;
    while (!(await isSo())) {
      if (Date.now() > deadline) throw new Error(`${what}: it did not come to be`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await store.register(registration('a', '198.51.99.7'));
  await until('replication', async () => (await client.hget('{mediastreamer}:1:meta', 'seq')) === '1');
  // Sentinel discovers replicas through the primary, every ten seconds at first.
  const sentinel = new (await import('ioredis')).Redis({ port, host: '127.0.0.1', protocol: 2 });
  onTestFinished(() => sentinel.disconnect());
  await until('the replica is known', async () =>
    String(await sentinel.call('SENTINEL', 'replicas', 'homes')).includes(`${replica.port}`),
  );
  await primary.kill();
  const faults: unknown[] = [];
  await until('the new primary', async () => {
    try {
      return (await store.register(registration('a', '198.51.99.8'))).outcome !== 'too-many';
    } catch (error) {
      faults.push((error as { code: unknown }).code);
      return false;
    }
  });
  expect(new Set(faults)).toEqual(new Set(['store_unavailable']));
  expect((await store.readAccount('a'))?.registrations).toHaveLength(2);
  expect((await store.snapshot()).groups[0].count).toBe(2);
}, 60_000);

it('an edge connects once a silent Sentinel answers', async () => {
  const primary = await RedisServer.start();
  onTestFinished(() => primary.stop());
  const sentinel = await startSentinel(primary);
  await sentinel.signal('SIGSTOP');
  const link = new FeedLink(`redis://homes/0?sentinels=127.0.0.1:${sentinel.port}`);
  onTestFinished(() => link.close());
  for (let attempt = 0; attempt < 2; attempt++) await expect(link.ready()).rejects.toThrow();
  await sentinel.signal('SIGCONT');
  const deadline = Date.now() + WITHIN_MS;
  while (link.connections === 0) {
    if (Date.now() > deadline) throw new Error('it did not connect');
    await link.ready().catch(() => {});
  }
  expect(await link.meta()).toBeNull();
}, 60_000);
