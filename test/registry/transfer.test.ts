import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { formatPrefix } from '../../src/net/index.ts';
import { storeFace } from '../../src/registry/store/redis/redis-store.ts';
import type { Store } from '../../src/registry/store/store.ts';
import {
  type AccountTransfer,
  openTransfer,
  readTransfer,
  writeTransfer,
} from '../../src/registry/transfer/index.ts';
import {
  entriesOf,
  hash,
  mark,
  newAccount,
  prefix,
  registration,
  START_MS,
  sorted,
} from '../contract/store-support.ts';
import { RedisServer } from '../support/redis-server.ts';
import { openTestStore } from './redis/support.ts';
import { openStore, temporaryDirectory } from './support.ts';

const makeId = (): string => randomBytes(9).toString('hex');

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

/** Fills a store with everything that an account can hold, and with shared addresses. */
async function fill(store: Store): Promise<void> {
  const label = 'a\'"; \0 FLUSHALL\r\n ☃';
  for (const [index, id] of ['b', 'a', 'C', 'late', 'away'].entries()) {
    await store.createAccount({
      ...newAccount(id, {
        region: index % 2 === 0 ? 'us' : 'gb',
        services: index === 1 ? { netflix: 'gb', hulu: 'off' } : {},
        perAccount: 50,
      }),
      idempotency: index === 0 ? mark('made b') : null,
    });
    for (const address of ['198.51.99.1', `198.51.99.1${index}`, `2a00:0:0:${index}::1`]) {
      await store.register(registration(id, address, { label, idempotency: mark(`${id} ${address}`) }));
    }
    await store.addUpdateToken({
      accountId: id,
      token: { id: `token of ${id}`, label, createdAtMs: START_MS },
      hash: hash(`token of ${id}`),
      limit: 5,
      idempotency: mark(`token of ${id}`),
    });
    await store.addPrivateName({
      accountId: id,
      name: {
        id: `private ${id}`,
        label,
        homeOnly: index % 2 === 0,
        createdAtMs: START_MS,
        held: [],
      },
      hash: hash(`private name of ${id}`),
      limit: 5,
      idempotency: null,
    });
    for (const kind of ['session', 'link', 'ticket'] as const) {
      const pass = { accountId: id, nowMs: START_MS, expiresAtMs: START_MS + 1_000, limit: 5 };
      await store.addCredential({ ...pass, kind, hash: hash(`${kind} of ${id}`) });
    }
  }
  const hostname = { accountId: 'b', id: 'name', hostname: 'home.example.net', nowMs: START_MS, limit: 5 };
  await store.addHostname(hostname);
  await store.addHostname({ ...hostname, id: 'name2', hostname: 'away.example.net' });
  await store.settleHostname({
    accountId: 'b',
    id: 'name',
    prefixes: [prefix('198.51.99.77')],
    families: [4, 6],
    ids: ['by-name'],
    seen: null,
    state: 'followed',
    nowMs: START_MS,
    expiresAtMs: START_MS + 5_000,
    renewBeforeMs: 0,
    nextAtMs: START_MS + 60_000,
  });
  await store.register(registration('a', '198.51.99.1'));
  await store.updateAccount({ id: 'late', suspended: true });
}

async function exportTo(file: string, store: string, dataDir: string): Promise<number> {
  const transfer = await openTransfer({ store, dataDir, makeId });
  try {
    return await writeTransfer(file, transfer.read());
  } finally {
    await transfer.close();
  }
}

async function importFrom(file: string, store: string, dataDir: string): Promise<number> {
  const transfer = await openTransfer({ store, dataDir, makeId });
  try {
    return await transfer.write(readTransfer(file));
  } finally {
    await transfer.close();
  }
}

async function filled(): Promise<{ dataDir: string; entries: [string, string][] }> {
  const dataDir = temporaryDirectory();
  const store = await openStore(dataDir);
  await fill(store);
  const entries = sorted(entriesOf(await store.snapshot()));
  await store.close();
  return { dataDir, entries };
}

async function flush(): Promise<void> {
  const client = server.client();
  await client.flushall();
  client.disconnect();
}

describe('export and import', () => {
  it('from embedded to Redis and back changes nothing', async () => {
    await flush();
    const { dataDir, entries } = await filled();
    const files = temporaryDirectory();
    const [first, second, third] = ['1', '2', '3'].map((name) => join(files, name));
    expect(await exportTo(first, 'embedded', dataDir)).toBe(5);
    expect(statSync(first).mode & 0o777).toBe(0o600);
    const control = temporaryDirectory();
    expect(await importFrom(first, server.url, control)).toBe(5);
    await exportTo(second, server.url, control);
    expect(readFileSync(second, 'utf8')).toBe(readFileSync(first, 'utf8'));

    const redis = await openTestStore(server.url);
    onTestFinished(() => redis.close());
    expect(sorted(entriesOf(await redis.snapshot()))).toEqual(entries);
    await storeFace(redis).expireLeases({ nowMs: 0, limit: 1 });

    const home = temporaryDirectory();
    await importFrom(second, 'embedded', home);
    await exportTo(third, 'embedded', home);
    expect(readFileSync(third, 'utf8')).toBe(readFileSync(first, 'utf8'));
    const store = await openStore(home);
    expect(sorted(entriesOf(await store.snapshot()))).toEqual(entries);
    await store.close();
  });

  it('keep secrets, repeats, sessions and renewals', async () => {
    await flush();
    const { dataDir } = await filled();
    const file = join(temporaryDirectory(), 'export');
    await exportTo(file, 'embedded', dataDir);
    await importFrom(file, server.url, temporaryDirectory());
    const opened = await openTestStore(server.url);
    onTestFinished(() => opened.close());
    const store = storeFace(opened);
    expect((await store.findAccountBySecret(hash('secret of a')))?.account.id).toBe('a');
    const pass = { kind: 'session' as const, hash: hash('session of a'), nowMs: START_MS };
    expect((await store.findCredential(pass))?.account.id).toBe('a');
    const before = (await store.readAccount('b'))!.registrations.length;
    const again = registration('b', '198.51.99.1', { idempotency: mark('b 198.51.99.1') });
    expect((await store.register(again)).outcome).toBe('created');
    expect((await store.readAccount('b'))!.registrations).toHaveLength(before);
    expect(entriesOf(await store.snapshot()).get('198.51.99.1/32')).toMatch(/^gb 46 hulu=off netflix=gb/);
    await store.register(registration('b', '198.51.99.1'));
    expect(entriesOf(await store.snapshot()).get('198.51.99.1/32'), 'a renewal is later').toBe('us 46');
    expect(await store.deleteAccount('b')).toBe(true);
    expect((await store.snapshot()).seq).toBeGreaterThan(0);
  });

  it('need an empty store', async () => {
    await flush();
    const { dataDir } = await filled();
    const file = join(temporaryDirectory(), 'export');
    await exportTo(file, 'embedded', dataDir);
    await expect(importFrom(file, 'embedded', dataDir)).rejects.toMatchObject({ code: 'store_not_empty' });
    const control = temporaryDirectory();
    await importFrom(file, server.url, control);
    await expect(importFrom(file, server.url, control)).rejects.toMatchObject({ code: 'store_not_empty' });
    await expect(exportTo(file, server.url, control)).rejects.toThrow('is there already');
  });

  it('import nothing from a truncated or changed file', async () => {
    await flush();
    const { dataDir } = await filled();
    const file = join(temporaryDirectory(), 'export');
    await exportTo(file, 'embedded', dataDir);
    const text = readFileSync(file, 'utf8');
    const lines = text.split('\n');
    const spoilt = [
      lines.slice(0, 3).join('\n'),
      text.slice(0, text.length / 2),
      text.replace('"perAccount":50', '"perAccount":51'),
      text.replace('"version":1', '"version":2'),
      `${text}${lines[1]}\n`,
      '',
    ];
    for (const [index, one] of spoilt.entries()) {
      const path = join(temporaryDirectory(), `${index}`);
      writeFileSync(path, one);
      for (const store of ['embedded', server.url]) {
        const target = temporaryDirectory();
        await expect(importFrom(path, store, target)).rejects.toMatchObject({ code: 'store_corrupt' });
        if (store === 'embedded') expect(await exportTo(join(target, 'export'), store, target)).toBe(0);
      }
    }
  });

  it('do not touch a store that a service uses', async () => {
    const dataDir = temporaryDirectory();
    const store = await openStore(dataDir);
    await expect(exportTo(join(dataDir, 'x'), 'embedded', dataDir)).rejects.toMatchObject({
      code: 'store_locked',
    });
    await store.close();
  });

  it('close Redis to other calls, and start an interrupted import again', async () => {
    await flush();
    const { dataDir } = await filled();
    const file = join(temporaryDirectory(), 'export');
    await exportTo(file, 'embedded', dataDir);
    const opened = await openTestStore(server.url);
    onTestFinished(() => opened.close());
    const store = storeFace(opened);
    const control = temporaryDirectory();
    const accounts: AccountTransfer[] = [];
    for await (const account of readTransfer(file)) accounts.push(account);
    await opened.link.run('beginImport', {});
    await opened.link.run('importAccount', {
      account: JSON.stringify({ ...accounts[0], region: '"us"', services: '[]', registrations: [] }),
    });
    await expect(store.getAccount(accounts[0].id)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await importFrom(file, server.url, control)).toBe(5);
    const kept = (await store.readAccount(accounts[0].id))!.registrations.map((one) =>
      formatPrefix(one.prefix),
    );
    expect(kept).toEqual(accounts[0].registrations.map((one) => one.prefix));
  });
});
