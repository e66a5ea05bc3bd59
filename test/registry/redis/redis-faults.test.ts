import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { digestSnapshot } from '../../../src/feed/index.ts';
import { adoptRedis, verifyRedis } from '../../../src/registry/operator/index.ts';
import { PositionFile } from '../../../src/registry/store/position-file.ts';
import { Key } from '../../../src/registry/store/redis/keys.ts';
import type { OpenRedisOptions } from '../../../src/registry/store/redis/open.ts';
import { storeFace } from '../../../src/registry/store/redis/redis-store.ts';
import type { Store } from '../../../src/registry/store/store.ts';
import { newAccount, registration } from '../../contract/store-support.ts';
import { RedisServer, type RedisServerOptions } from '../../support/redis-server.ts';
import { EventRecorder, MemoryPosition, openTestStore } from './support.ts';

const HOME = '198.51.99.7';
const AWAY = '198.51.99.8';

async function startServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await RedisServer.start(options);
  onTestFinished(() => server.stop());
  return server;
}

async function open(url: string, options: Partial<OpenRedisOptions> = {}) {
  const positionFile = (options.positionFile as MemoryPosition) ?? new MemoryPosition();
  const events = new EventRecorder();
  const opened = await openTestStore(url, { waitMs: 2_000, ...options, positionFile, events });
  onTestFinished(() => opened.close());
  return { opened, store: storeFace(opened) as Store, positionFile, events };
}

/** Runs commands beside the store. */
async function command(server: RedisServer, ...commands: [string, ...(string | number)[]][]): Promise<void> {
  const client = server.client();
  try {
    for (const [name, ...args] of commands) await client.call(name, ...args);
  } finally {
    client.disconnect();
  }
}

async function until(isSo: () => boolean, withinMs = 5_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error('it did not come to be');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function untilAsync(isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 5_000; !(await isSo()); ) {
    if (Date.now() > deadline) throw new Error('it did not come to be');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a Redis in trouble', () => {
  it('that does not answer is reported within 2 s, and a repeat is safe afterwards', async () => {
    const server = await startServer();
    const { store, opened } = await open(server.url);
    await store.createAccount(newAccount('a'));
    await server.signal('SIGSTOP');
    const step = registration('a', HOME);
    const startedMs = performance.now();
    await expect(store.register(step)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    const againMs = performance.now();
    await expect(store.register(step)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(performance.now() - againMs, 'callers do not queue up behind a silent server').toBeLessThan(200);
    await server.signal('SIGCONT');
    await until(() => opened.link.state === 'up');
    expect((await store.register({ ...step, id: 'another' })).outcome).toMatch(/created|renewed/);
    expect((await store.readAccount('a'))?.registrations).toHaveLength(1);
    expect((await store.snapshot()).groups[0].count).toBe(1);
  });

  it('that was killed has every answered change after its restart', async () => {
    const server = await startServer();
    const { store, opened } = await open(server.url);
    await store.createAccount(newAccount('a', { perAccount: 10_000 }));
    const done = new Set<string>();
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let index = 0; ; index++) {
        const address = `23.${writer}.${index >> 8}.${index & 255}`;
        await store.register(registration('a', address));
        done.add(address);
      }
    });
    const ended = Promise.allSettled(writers);
    await until(() => done.size > 300);
    await server.restart();
    await ended;
    await until(() => opened.link.state === 'up');
    const kept = new Set(
      (await store.readAccount('a'))!.registrations.map(({ prefix }) => prefix.bytes.join('.')),
    );
    expect([...done].filter((address) => !kept.has(address))).toEqual([]);
    expect((await store.snapshot()).groups[0].count).toBe(kept.size);
  });

  it('that lost its scripts gets them again', async () => {
    const server = await startServer();
    const { store } = await open(server.url);
    await store.createAccount(newAccount('a'));
    await command(server, ['SCRIPT', 'FLUSH']);
    expect((await store.register(registration('a', HOME))).outcome).toBe('created');
  });

  it.each([
    ['is full', ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0'], /OOM/],
    ['became a replica', ['REPLICAOF', '127.0.0.1', '1'], ['REPLICAOF', 'NO', 'ONE'], /READONLY|MASTERDOWN/],
    [
      'lacks replicas',
      ['CONFIG', 'SET', 'min-replicas-to-write', '1'],
      ['CONFIG', 'SET', 'min-replicas-to-write', '0'],
      /NOREPLICAS/,
    ],
  ] as const)('that %s changes nothing by halves', async (_, worse, better, words) => {
    const server = await startServer();
    const { store, opened } = await open(server.url);
    await store.createAccount(newAccount('a', { perAccount: 1 }));
    await store.register(registration('a', HOME));
    const before = JSON.stringify([await store.readAccount('a'), await store.state()]);
    await command(server, [...worse]);
    const step = registration('a', AWAY, { replaceOldest: true });
    await expect(store.register(step)).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(words),
    });
    await command(server, [...better]);
    await until(() => opened.link.state === 'up');
    expect(JSON.stringify([await store.readAccount('a'), await store.state()])).toBe(before);
    expect((await store.register(step)).outcome).toBe('created');
    await store.snapshot();
  });

  it('that was away at the start is used once it answers', async () => {
    const server = await startServer();
    await server.kill();
    const { store, opened } = await open(server.url, { waitMs: 100 });
    await expect(store.getAccount('a')).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(store.status().failed).toMatch(/^unreachable/);
    await server.launch();
    await until(() => opened.link.state === 'up');
    expect(store.status().failed).toBeNull();
    expect((await store.createAccount(newAccount('a'))).outcome).toBe('created');
  });
});

describe('a Redis that lost data', () => {
  async function withData() {
    const server = await startServer();
    const first = await open(server.url);
    await first.store.createAccount(newAccount('a'));
    for (const address of [HOME, AWAY]) await first.store.register(registration('a', address));
    return { server, ...first };
  }

  it('because it is empty is not initialized again', async () => {
    const { server, store, opened, positionFile } = await withData();
    await command(server, ['FLUSHALL']);
    await expect(store.register(registration('a', HOME))).rejects.toMatchObject({ code: 'store_lost_data' });
    await expect(store.getAccount('a')).rejects.toMatchObject({ code: 'store_lost_data' });
    expect(store.status().failed).toBe('lost-data (store-empty)');
    await opened.close();
    const next = await open(server.url, { positionFile, waitMs: 300 });
    await expect(next.store.getAccount('a')).rejects.toMatchObject({ code: 'store_lost_data' });
  });

  it('because it is a stranger is not used', async () => {
    const { positionFile } = await withData();
    const other = await startServer();
    await (await open(other.url)).store.createAccount(newAccount('b'));
    const next = await open(other.url, { positionFile, waitMs: 300 });
    await expect(next.store.getAccount('b')).rejects.toMatchObject({ code: 'store_lost_data' });
    expect(next.store.status().failed).toBe('lost-data (other-epoch)');
  });

  it('because changes are missing is detected by a control that knows them, and marked for all', async () => {
    const { server, store } = await withData();
    const ignorant = await open(server.url);
    await ignorant.opened.close();
    await command(server, ['HSET', '{mediastreamer}:1:meta', 'seq', 1]);
    await expect(store.register(registration('a', HOME))).rejects.toMatchObject({ code: 'store_lost_data' });
    expect(store.status().failed).toBe('lost-data (older)');
    const client = server.client();
    onTestFinished(() => client.disconnect());
    await untilAsync(async () => (await client.hget(Key.META, 'lostSeq')) === '2');
    const fresh = await open(server.url, { waitMs: 300 });
    await expect(fresh.store.getAccount('a')).rejects.toMatchObject({ code: 'store_lost_data' });
  });

  it('works again after adoption, for all that knew the ended epoch', async () => {
    const { server, store, opened } = await withData();
    const other = await open(server.url);
    const { epoch } = store;
    await command(server, ['FLUSHALL']);
    await expect(store.getAccount('a')).rejects.toMatchObject({ code: 'store_lost_data' });
    const dataDir = mkdtempSync(join(tmpdir(), 'control-'));
    onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
    new PositionFile(dataDir).keep({ epoch, seq: 2 });
    await adoptRedis({ url: server.url, dataDir, replaces: [], makeId: () => 'adopted' });
    await until(() => opened.link.state === 'up' && other.opened.link.state === 'up');
    expect(store.epoch).not.toBe(epoch);
    expect(await store.getAccount('a')).toBeNull();
    expect((await store.state()).seq, 'numbers go on').toBe(2);
    expect((await store.snapshot()).groups).toEqual([]);
    await other.store.createAccount(newAccount('a'));
    await other.store.register(registration('a', HOME));
    expect((await store.snapshot()).seq).toBe(3);
  });
});

describe('a Redis with half of a change', () => {
  const PHANTOM = '23.1.2.3';

  it('gets rid of it soon after its start, so that no later start runs it', async () => {
    const server = await startServer({ args: ['--rdbcompression', 'no'] });
    const { store, opened } = await open(server.url, { leader: { rewriteEveryMs: 0 } });
    await store.createAccount(newAccount('a'));
    await store.register(registration('a', HOME));
    await server.kill();
    const folder = join(server.directory, 'appendonlydir');
    const bytes = (): string =>
      readdirSync(folder).reduce((all, name) => all + readFileSync(join(folder, name), 'latin1'), '');
    const file = readdirSync(folder).find((name) => name.endsWith('.incr.aof'))!;
    appendFileSync(join(folder, file), torn(['HSET', Key.ENTRIES, PHANTOM, 'x']));
    await server.launch();
    await until(() => opened.isLeader && !bytes().includes(PHANTOM), 10_000);
    await store.register(registration('a', AWAY));
    await server.kill();
    await server.launch();
    await until(() => opened.link.state === 'up');
    const client = server.client();
    onTestFinished(() => client.disconnect());
    expect(await client.hlen(Key.ENTRIES)).toBe(2);
    expect((await store.snapshot()).seq).toBe(2);
  }, 20_000);

  it('is detected by its digest, and adopt rebuilds the entries from the registrations', async () => {
    const server = await startServer();
    const { store, opened, events } = await open(server.url, { leader: { snapshotEveryMs: 0 } });
    await store.createAccount(newAccount('a'));
    await store.createAccount(newAccount('b', { region: 'gb' }));
    await store.createAccount(newAccount('c', { suspended: true }));
    for (const id of ['a', 'b', 'c']) await store.register(registration(id, HOME));
    await store.register(registration('b', AWAY));
    await store.register(registration('b', '2a00:0:0:1::9'));
    const sound = { list: digestSnapshot(await store.snapshot()), accounts: await store.readAccount('b') };
    const client = server.client();
    onTestFinished(() => client.disconnect());
    const entry = await client.hgetallBuffer(Key.ENTRIES);
    const [value] = Object.values(entry);
    await client.hset(Key.ENTRIES, Buffer.from([4, 32, 23, 1, 2, 3]), value);
    await client.zadd(
      `${Key.ROOT}leases`,
      1,
      Buffer.concat([Buffer.from([4, 32, 23, 1, 2, 3]), Buffer.from('a')]),
    );
    await client.hset(Key.META, 'snapshotSeq', -1);
    await client.del(Key.SNAPSHOT);
    await until(() => events.lines.includes('warning entries_differ'));
    expect(events.lines).not.toContain('warning housekeeping_failed');
    expect((await verifyRedis(server.url))?.entries.agrees).toBe(false);

    const dataDir = mkdtempSync(join(tmpdir(), 'control-'));
    onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
    const before = { epoch: store.epoch, seq: (await store.state()).seq };
    new PositionFile(dataDir).keep(before);
    const adoption = { url: server.url, dataDir, replaces: [], makeId: () => 'adopted' };
    expect(await adoptRedis(adoption)).toMatchObject({
      seq: before.seq,
      entries: 3,
      replaced: [before.epoch],
    });
    await until(() => opened.link.state === 'up' && store.epoch !== before.epoch);
    expect((await verifyRedis(server.url))?.entries).toMatchObject({ agrees: true, entries: 3 });
    expect(digestSnapshot(await store.snapshot())).toBe(sound.list);
    expect(await store.readAccount('b')).toEqual(sound.accounts);
    expect(await store.expireLeases({ nowMs: 2, limit: 9 })).toBe(0);
    await expect(adoptRedis(adoption)).rejects.toMatchObject({ code: 'nothing_lost' });
    // Counting continues: an address's last registration ends its entry.
    expect(await store.deleteAccount('b')).toBe(true);
    expect(await store.deleteAccount('a')).toBe(true);
    expect(await client.hlen(Key.ENTRIES)).toBe(0);
    expect(await client.hlen(Key.PROFILES)).toBe(0);
  }, 20_000);
});

/** Half a transaction, as a crash leaves it in the append-only file. */
function torn(...commands: string[][]): string {
  return [['MULTI'], ...commands]
    .map((words) => `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`)
    .join('');
}

describe('connections to Redis', () => {
  it("work by user and password, with the rights of users.acl's control", async () => {
    const rules = /^user control reset on #\S+ (.*)$/m.exec(
      readFileSync('config/deploy/users.acl', 'utf8'),
    )![1];
    const server = await startServer();
    await command(server, ['ACL', 'SETUSER', 'control', 'reset', 'on', '>p%/?@:1', ...rules.split(' ')]);
    const url = server.url.replace('//', `//control:${encodeURIComponent('p%/?@:1')}@`);
    const { store, events, opened } = await open(url);
    await store.createAccount(newAccount('a'));
    await store.register(registration('a', HOME));
    await store.updateAccount({ id: 'a', suspended: true });
    await store.trimLog(99);
    await store.expireLeases({ nowMs: Number.MAX_SAFE_INTEGER, limit: 9 });
    expect(await store.deleteAccount('a')).toBe(true);
    await until(() => opened.isLeader);
    expect(events.lines).toEqual(['up']);
    const dataDir = mkdtempSync(join(tmpdir(), 'control-'));
    onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
    await store.createAccount(newAccount('b'));
    await store.register(registration('b', HOME));
    const adoption = { url, dataDir, replaces: ['another'], makeId: () => 'adopted' };
    expect(await adoptRedis(adoption)).toMatchObject({ entries: 1 });
  });

  it('with a wrong password report it without details', async () => {
    const server = await startServer({ args: ['--requirepass', 'right'], probe: { password: 'right' } });
    const { store } = await open(server.url.replace('//', '//:not-right@'), { waitMs: 300 });
    const fault = await store.getAccount('a').catch((error: Error) => error);
    expect(fault).toMatchObject({ code: 'store_unavailable' });
    expect((fault as Error).message).not.toMatch(/not-right|127\.0\.0\.1/);
  });

  it('work by TLS with a private authority', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'redis-tls-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    const made = spawnSync('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...[
        '-subj',
        '/CN=redis.test',
        '-addext',
        'subjectAltName=DNS:redis.test',
        '-keyout',
        key,
        '-out',
        cert,
      ],
    ]);
    expect(made.status).toBe(0);
    const { freePort } = await import('../../support/redis-server.ts');
    const tlsPort = await freePort();
    await startServer({
      args: [
        ...['--tls-port', `${tlsPort}`, '--tls-cert-file', cert, '--tls-key-file', key],
        ...['--tls-ca-cert-file', cert, '--tls-auth-clients', 'no'],
      ],
    });
    const url = `rediss://127.0.0.1:${tlsPort}/0`;
    const good = await open(`${url}?caFile=${encodeURIComponent(cert)}&serverName=redis.test`);
    expect((await good.store.createAccount(newAccount('a'))).outcome).toBe('created');
    const bad = await open(url, { waitMs: 300 });
    await expect(bad.store.getAccount('a'), 'an unknown authority').rejects.toMatchObject({
      code: 'store_unavailable',
    });
  });

  describe('to a Redis whose user `default` is stripped', () => {
    const probe = { username: 'control', password: 'x' };
    const strip = ['ACL', 'SETUSER', 'default', 'reset', 'off'] as const;
    const heal = ['ACL', 'SETUSER', 'default', 'reset', 'off', '~*', '&*', '+@all'] as const;
    const urlOf = (server: RedisServer) => server.url.replace('//', '//control:x@');

    it('are refused, and so is adoption, until the user has its rights', async () => {
      const server = await startServer({
        args: ['--user', 'control', 'on', '>x', '~*', '&*', '+@all'],
        probe,
      });
      await command(server, [...strip]);
      const { store, events } = await open(urlOf(server), { waitMs: 300 });
      const call = store.createAccount(newAccount('a'));
      await expect(call).rejects.toMatchObject({
        code: 'store_unavailable',
        message: expect.stringContaining('+@all'),
      });
      expect(events.lines).toEqual(['unreachable default-user-stripped']);
      const dataDir = mkdtempSync(join(tmpdir(), 'adopt-'));
      const adopt = () => adoptRedis({ url: urlOf(server), dataDir, replaces: [], makeId: () => 'id' });
      await expect(adopt()).rejects.toMatchObject({ message: expect.stringContaining('do not adopt') });
      await command(server, [...heal]);
      await until(() => store.status().failed === null);
      expect((await store.createAccount(newAccount('a'))).outcome).toBe('created');
      await expect(adopt(), 'nothing to adopt').rejects.toMatchObject({ code: 'nothing_lost' });
    });

    it('work with a warning if Redis does not answer the question', async () => {
      const rights = ['on', '>x', '~*', '&*', '+@all', '-acl'];
      const server = await startServer({ args: ['--user', 'control', ...rights], probe: {} });
      const { store, events } = await open(urlOf(server));
      expect((await store.createAccount(newAccount('a'))).outcome).toBe('created');
      expect(events.lines).toContain('warning default_user_not_checked');
    });
  });

  it('warn of settings that lose or keep data', async () => {
    const server = await startServer({
      args: ['--appendfsync', 'everysec', '--slowlog-log-slower-than', '0'],
    });
    const { events } = await open(server.url);
    await until(() => events.lines.length >= 3);
    expect(events.lines.sort()).toEqual(['up', 'warning appendfsync', 'warning slowlog']);
  });
});
