/** Writes that wait for replicas (redis.waitReplicas). */
import { describe, expect, it, onTestFinished } from 'vitest';
import { adoptRedis } from '../../../src/registry/operator/index.ts';
import { waitForBulk } from '../../../src/registry/store/redis/bulk-replication.ts';
import { redisTransfer } from '../../../src/registry/store/redis/open.ts';
import { storeFace } from '../../../src/registry/store/redis/redis-store.ts';
import { newAccount, registration } from '../../contract/store-support.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';
import { temporaryDirectory } from '../support.ts';
import { openTestStore } from './support.ts';

async function pair() {
  const primary = await RedisServer.start({ args: ['--repl-diskless-sync-delay', '0'] });
  onTestFinished(() => primary.stop());
  const replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', `${primary.port}`] });
  onTestFinished(() => replica.stop());
  const client = primary.client();
  onTestFinished(() => client.disconnect());
  await until(async () => {
    await client.set('another', '');
    return (await client.wait(1, 100)) === 1;
  }, 'the replica follows');
  const opened = await openTestStore(primary.url, { waitReplicas: 1 });
  onTestFinished(() => opened.close());
  return { primary, replica, client, opened, store: storeFace(opened) };
}

it('a write succeeds once a replica has it', async () => {
  const { replica, store } = await pair();
  await store.createAccount(newAccount('a'));
  await store.register(registration('a', '198.51.99.7'));
  const client = replica.client();
  onTestFinished(() => client.disconnect());
  expect(await client.hget('{mediastreamer}:1:meta', 'seq')).toBe('1');
});

it('a frozen replica does not count: writes fail and may be repeated, reads work', async () => {
  const { replica, opened, store } = await pair();
  await store.createAccount(newAccount('a'));
  await replica.signal('SIGSTOP');
  const writes = ['7', '8', '9'].map((last) => store.register(registration('a', `198.51.99.${last}`)));
  for (const write of await Promise.allSettled(writes)) {
    expect(write).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
  }
  // A repeated call whose work is done already does not succeed either.
  await expect(store.register(registration('a', '198.51.99.7'))).rejects.toMatchObject({
    code: 'store_unavailable',
  });
  expect((await store.readAccount('a'))?.registrations).toHaveLength(3);
  expect(opened.link.seq).toBe(0);
  await replica.signal('SIGCONT');
  await until(async () => {
    const { outcome } = await store
      .register(registration('a', '198.51.99.7'))
      .catch(() => ({ outcome: null }));
    return outcome === 'renewed';
  }, 'it works again');
  await until(() => opened.link.seq >= 3, 'all are confirmed');
});

it('a promoted replica without an unconfirmed change is used, and its number is given again', async () => {
  const { primary, replica, opened, store } = await pair();
  await store.createAccount(newAccount('a'));
  await store.register(registration('a', '198.51.99.7'));
  await until(() => opened.link.seq === 1, 'the first change is confirmed');
  const promoting = replica.client();
  onTestFinished(() => promoting.disconnect());
  await promoting.call('REPLICAOF', 'NO', 'ONE');
  await expect(store.register(registration('a', '198.51.99.8'))).rejects.toMatchObject({
    code: 'store_unavailable',
  });
  expect(opened.status().seq).toBe(1);
  await primary.kill();
  await replica.kill();
  // The former replica takes the primary's place.
  const promoted = await RedisServer.start({ directory: replica.directory, port: primary.port });
  onTestFinished(() => promoted.stop());
  await until(() => opened.link.state === 'up', 'the control uses it');
  expect((await store.readAccount('a'))?.registrations).toHaveLength(1);
  const seen: number[] = [];
  store.subscribe((changes) => seen.push(...changes.map(({ seq }) => seq)));
  // Without a replica, the change is made and not confirmed.
  await expect(store.register(registration('a', '198.51.99.9'))).rejects.toMatchObject({
    code: 'store_unavailable',
  });
  expect(seen).toEqual([2]);
});

describe('a bulk of writes ends only when a replica has it', () => {
  it.each(['import', 'adopt'])('%s', async (what) => {
    const { primary, replica, client, opened } = await pair();
    onTestFinished(() => void replica.signal('SIGCONT'));
    await replica.signal('SIGSTOP');
    let isDone = false;
    const { dataDir, url } = { dataDir: temporaryDirectory(), url: primary.url };
    const work =
      what === 'import'
        ? redisTransfer(opened, 1).write((async function* () {})())
        : adoptRedis({ url, dataDir, replaces: ['gone'], makeId: () => 'adopted', waitReplicas: 1 });
    const ended = work.then((result) => {
      isDone = true;
      return result;
    });
    const waits = async () =>
      Number(/cmdstat_wait:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0);
    const before = await waits();
    await until(async () => (await waits()) >= before + 2, 'it has waited in vain');
    expect(isDone).toBe(false);
    await replica.signal('SIGCONT');
    await ended;
    const reader = replica.client();
    onTestFinished(() => reader.disconnect());
    const meta = '{mediastreamer}:1:meta';
    expect(await reader.hget(meta, 'epoch')).toBe(await client.hget(meta, 'epoch'));
  });

  it('and says so if none has it in time', async () => {
    const { replica, client } = await pair();
    onTestFinished(() => void replica.signal('SIGCONT'));
    await replica.signal('SIGSTOP');
    await client.set('another', 'value');
    await expect(waitForBulk(client, 1, 'the import', 1)).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/^the import is done, but fewer replicas/),
    });
  });
});
