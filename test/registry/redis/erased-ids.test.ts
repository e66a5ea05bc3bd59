import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { adoptRedis } from '../../../src/registry/operator/index.ts';
import { PositionFile } from '../../../src/registry/store/position-file.ts';
import { ErasedIds } from '../../../src/registry/store/redis/erased-ids.ts';
import { storeFace } from '../../../src/registry/store/redis/redis-store.ts';
import { hash, newAccount, registration, START_MS } from '../../contract/store-support.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { temporaryDirectory } from '../support.ts';
import { openTestStore } from './support.ts';

const FILE = 'registry.erased';

it('keeps keyed hashes of erased ids, in a file of mode 0600, for 400 days', () => {
  const dataDir = temporaryDirectory();
  const ids = new ErasedIds(dataDir, 1_000);
  ids.note('someone', 1_000);
  ids.note('later', 1_200);
  const again = new ErasedIds(dataDir, 1_400);
  expect(['someone', 'later', 'other'].map((id) => again.has(id))).toEqual([true, true, false]);
  const text = readFileSync(join(dataDir, FILE), 'utf8');
  expect(text).not.toContain('someone');
  expect((statSync(join(dataDir, FILE)).mode & 0o777).toString(8)).toBe('600');
  const late = new ErasedIds(dataDir, 1_401);
  expect(['someone', 'later'].map((id) => late.has(id))).toEqual([false, true]);
  expect(readFileSync(join(dataDir, FILE), 'utf8').split('\n')).toHaveLength(3);
  writeFileSync(join(dataDir, FILE), 'something else');
  expect(() => new ErasedIds(dataDir)).toThrow('expected version 1');
});

it('adopt does not bring back what was erased after the data that Redis has', async () => {
  const server = await RedisServer.start({ shipped: true });
  onTestFinished(() => server.stop());
  const dataDir = temporaryDirectory();
  const open = async () => {
    const options = { positionFile: new PositionFile(dataDir), erasedIds: new ErasedIds(dataDir) };
    const opened = await openTestStore(server.url, options);
    onTestFinished(() => opened.close());
    return { opened, store: storeFace(opened) };
  };
  const { opened, store } = await open();
  for (const id of ['stays', 'goes']) await store.createAccount(newAccount(id));
  for (const [account, address, id] of [
    ['stays', '198.51.99.1', 'kept'],
    ['stays', '198.51.99.2', 'removed'],
    ['goes', '198.51.99.3', 'of-goes'],
    ['goes', '2a00:0:0:1::9', 'six-of-goes'],
  ]) {
    await store.register(registration(account, address, { id }));
  }
  const token = { accountId: 'stays', hash: hash('t'), limit: 5, idempotency: null };
  await store.addUpdateToken({ ...token, token: { id: 'revoked', label: '', createdAtMs: START_MS } });
  const files = join(server.directory, 'appendonlydir');
  cpSync(files, `${files}.before`, { recursive: true });
  await store.deleteAccount('goes');
  await store.removeRegistration({ accountId: 'stays', id: 'removed' });
  await store.removeUpdateToken({ accountId: 'stays', id: 'revoked' });
  await opened.close();

  await server.kill();
  rmSync(files, { recursive: true });
  cpSync(`${files}.before`, files, { recursive: true });
  await server.launch();
  const adoption = await adoptRedis({ url: server.url, dataDir, replaces: [], makeId: () => 'adopted' });
  expect(adoption).toMatchObject({ entries: 1, erased: 3 });
  const { store: after } = await open();
  expect(await after.getAccount('goes')).toBeNull();
  expect((await after.readAccount('stays'))?.registrations.map(({ id }) => id)).toEqual(['kept']);
  expect(await after.findAccountByUpdateToken(hash('t'))).toBeNull();
  expect((await after.snapshot()).groups.map(({ count }) => count)).toEqual([1]);
  expect((await after.register(registration('stays', '198.51.99.2'))).outcome).toBe('created');
});
