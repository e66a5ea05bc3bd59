import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { storeFace } from '../../../src/registry/store/redis/redis-store.ts';
import { hash, mark, newAccount, registration } from '../../contract/store-support.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { openTestStore } from './support.ts';

const GONE = '198.51.99.203';
const KEPT = '198.51.99.204';
const LABEL = 'the house by the sea';

function bytesOfAddress(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

/** Reads every byte that Redis has on disk. */
function files(server: RedisServer): Buffer {
  const directory = join(server.directory, 'appendonlydir');
  return Buffer.concat(readdirSync(directory).map((name) => readFileSync(join(directory, name))));
}

it('an ended address leaves the keys, the log, the snapshot, the append-only file and SLOWLOG', async () => {
  const server = await RedisServer.start({ shipped: true, args: ['--rdbcompression', 'no'] });
  onTestFinished(() => server.stop());
  const leader = { logKeepMs: 400, snapshotEveryMs: 200, rewriteEveryMs: 0 };
  const opened = await openTestStore(server.url, { leader });
  onTestFinished(() => opened.close());
  const store = storeFace(opened);
  await store.createAccount(newAccount('keeps'));
  await store.createAccount(newAccount('goes'));
  await store.register(registration('keeps', KEPT));
  await store.register(registration('goes', GONE, { label: LABEL, idempotency: mark('goes') }));
  expect(files(server).includes(bytesOfAddress(GONE))).toBe(true);
  expect(files(server).includes(LABEL)).toBe(true);
  await store.deleteAccount('goes');
  // Other changes continue, so that trimmed entries share stream nodes with kept ones.
  const going = setInterval(() => {
    void store.updateAccount({ id: 'keeps', region: Math.random() < 0.5 ? 'us' : 'gb' }).catch(() => {});
  }, 150);
  onTestFinished(() => clearInterval(going));
  const client = server.client();
  onTestFinished(() => client.disconnect());
  const isErased = async (): Promise<boolean> => {
    const [wanted, done] = await client.hmget('{mediastreamer}:1:counters', 'erasures', 'erased');
    return wanted !== null && wanted === done;
  };
  const deadline = Date.now() + 15_000;
  while (!(await isErased())) {
    if (Date.now() > deadline) throw new Error('nothing was erased');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  clearInterval(going);
  const found: string[] = [];
  for (const [what, bytes] of [
    ['the address', bytesOfAddress(GONE)],
    ['the label', Buffer.from(LABEL)],
    ['the secret', Buffer.from(hash('secret of goes'))],
    ['the account', Buffer.from('goes')],
  ] as const) {
    if (files(server).includes(bytes)) found.push(`${what} on disk`);
    for (const key of await client.keys('*')) {
      const dumped = await client.dumpBuffer(key);
      if (dumped?.includes(bytes)) found.push(`${what} in ${key}`);
    }
  }
  expect(found).toEqual([]);
  expect(files(server).includes(bytesOfAddress(KEPT))).toBe(true);
  expect(await client.slowlog('LEN')).toBe(0);
}, 30_000);
