/** config/deploy's files with other ports, paths and passwords: Redis, a control and two edges. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  freePort,
  type RedisServer,
  type ShippedUser,
  writeShippedFiles,
} from '../../support/redis-server.ts';
import { Program, ROOT, type RunningService, temporaryFolder } from '../../support/service.ts';
import { ask, reaches, SERVED, soon, startControl, startEdge, startRedis } from './support.ts';

const DEPLOY = join(ROOT, 'config/deploy');
const ADDRESS = '127.43.0.1';

let server: RedisServer;
let control: RunningService;
let edges: RunningService[];

/** A connection of a user of users.acl. */
function client(user: ShippedUser): Redis {
  const connection = new Redis(server.urlOf(user), {
    protocol: 2,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
  });
  connection.on('error', () => {});
  clients.push(connection);
  return connection;
}
const clients: Redis[] = [];

beforeAll(async () => {
  server = await startRedis();
  control = await startControl(server.url);
  edges = await Promise.all([startEdge(server.edgeUrl), startEdge(server.edgeUrl)]);
}, 120_000);
afterAll(() => {
  for (const one of clients) one.disconnect();
});

describe('the files of config/deploy', { timeout: 60_000 }, () => {
  it('run a control and two edges without a warning', async () => {
    await control.household([ADDRESS]);
    for (const edge of edges) {
      await reaches(edge, 'following');
      await soon(async () => (await ask(edge, ADDRESS)) === SERVED);
      expect(edge.stderr).toBe('');
    }
    const levels = new Set([control, ...edges].flatMap(({ lines }) => lines.map(({ level }) => level)));
    expect([...levels]).toEqual(['info']);
    // The leader's housekeeping needs rights of its own.
    const admin = client('control');
    await soon(async () => Number(await admin.hget('{mediastreamer}:1:meta', 'snapshotSeq')) >= 0);
    expect(control.output).not.toContain('housekeeping_failed');
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'keep every acknowledged change when Redis restarts (%s)',
    async (signal) => {
      const { id, registrations } = await control.household(['127.43.0.2', '127.43.0.3', '127.43.0.4']);
      await control.admin.call('DELETE', `/v1/accounts/${id}/registrations/${registrations['127.43.0.3']}`);
      await server.signal(signal);
      await server.launch();
      await soon(async () => (await control.admin.call('GET', '/v1/accounts')).status === 200);
      const { registrations: kept } = (await control.admin.call('GET', `/v1/accounts/${id}/registrations`))
        .body as {
        registrations: { address: string }[];
      };
      expect(kept.map(({ address }) => address).toSorted()).toEqual(['127.43.0.2', '127.43.0.4']);
      for (const edge of edges) {
        await reaches(edge, 'following');
        await soon(async () => (await ask(edge, '127.43.0.2')) === SERVED);
        expect(await ask(edge, '127.43.0.3')).not.toBe(SERVED);
      }
    },
  );

  it('let an edge read four keys, and nothing else', async () => {
    const edge = client('edge');
    const denied = /NOPERM/;
    for (const key of ['entries', 'accounts', 'secrets', 'leases', 'profiles', 'counters', 'chores']) {
      await expect(edge.get(`{mediastreamer}:1:${key}`), key).rejects.toThrow(denied);
      await expect(edge.hmget(`{mediastreamer}:1:${key}`, 'a'), key).rejects.toThrow(denied);
    }
    await expect(edge.keys('*')).rejects.toThrow(denied);
    await expect(edge.scan('0')).rejects.toThrow(denied);
    await expect(edge.hset('{mediastreamer}:1:meta', 'seq', 0)).rejects.toThrow(denied);
    await expect(edge.xadd('{mediastreamer}:1:log', '*', 'c', '')).rejects.toThrow(denied);
    await expect(edge.del('{mediastreamer}:1:snapshot')).rejects.toThrow(denied);
    await expect(edge.eval("return redis.call('GET', KEYS[1])", 1, '{mediastreamer}:1:meta')).rejects.toThrow(
      denied,
    );
    await expect(edge.info()).rejects.toThrow(denied);
    await expect(edge.call('CLIENT', 'LIST')).rejects.toThrow(denied);
    await expect(edge.call('MONITOR')).rejects.toThrow(denied);
    await expect(edge.flushall()).rejects.toThrow(denied);
    await expect(edge.call('CONFIG', 'GET', '*')).rejects.toThrow(denied);
    expect(await edge.hmget('{mediastreamer}:1:meta', 'format')).toEqual(['1']);
  });

  it('let a control work, but not stop the server or use other keys', async () => {
    const admin = client('control');
    for (const command of [
      ['FLUSHALL'],
      ['SHUTDOWN'],
      ['CONFIG', 'SET', 'save', ''],
      ['ACL', 'LIST'],
      ['MONITOR'],
    ]) {
      await expect(admin.call(command[0], ...command.slice(1)), command.join(' ')).rejects.toThrow(/NOPERM/);
    }
    await expect(admin.set('another', 'x')).rejects.toThrow(/NOPERM/);
  });

  it('require a password', async () => {
    const stranger = new Redis({
      host: '127.0.0.1',
      port: server.port,
      protocol: 2,
      enableReadyCheck: false,
    });
    clients.push(stranger);
    stranger.on('error', () => {});
    await expect(stranger.get('{mediastreamer}:1:meta')).rejects.toThrow(/NOAUTH/);
  });

  it('keep Redis from losing data and from telling it', async () => {
    const tester = server.client();
    clients.push(tester);
    for (const [name, wanted] of [
      ['appendonly', 'yes'],
      ['appendfsync', 'always'],
      ['maxmemory-policy', 'noeviction'],
      ['slowlog-log-slower-than', '-1'],
      ['save', ''],
    ]) {
      expect(await tester.call('CONFIG', 'GET', name)).toEqual([name, wanted]);
    }
    const admin = client('control');
    for (const name of ['masterauth', 'tls-key-file-pass', 'appendfsync']) {
      await expect(admin.call('CONFIG', 'GET', name), name).rejects.toThrow(/NOPERM/);
    }
  });

  it.each([
    ['user default reset off', '+@all ~*'],
    ['user default on nopass ~* &* +@all -@write', '+@all'],
    ['user default reset off +@all', '~*'],
    ['user default reset off ~* &* +@all -exec', '+@all'],
  ])('do not start Redis with "%s": it would drop changes', async (line, lacks) => {
    const folder = temporaryFolder();
    const conf = writeShippedFiles(folder, await freePort());
    const path = join(folder, 'users.acl');
    writeFileSync(path, readFileSync(path, 'utf8').replace(/^user default .*$/m, line));
    const program = new Program('sh', [join(DEPLOY, 'start-redis.sh'), conf]);
    expect((await program.exited).code).toBe(1);
    expect(program.stderr).toContain(`${path}: the user 'default' lacks ${lacks}`);
  });

  it('include a compose file whose services use the host network, these files and named volumes', () => {
    const compose = parse(readFileSync(join(DEPLOY, 'compose.yaml'), 'utf8'), { merge: true }) as {
      services: Record<string, { network_mode: string; volumes: string[] }>;
      volumes: Record<string, null>;
    };
    expect(Object.keys(compose.services)).toEqual(['redis', 'control', 'edge-1', 'edge-2']);
    for (const { network_mode } of Object.values(compose.services)) expect(network_mode).toBe('host');
    const mounted = Object.values(compose.services).flatMap(({ volumes }) =>
      volumes.map((text) => text.split(':')[0]),
    );
    const named = mounted.filter((name) => !name.startsWith('.'));
    expect(named.toSorted()).toEqual(Object.keys(compose.volumes).toSorted());
    for (const name of mounted.filter((text) => text.startsWith('.'))) readFileSync(join(DEPLOY, name));
  });

  it('include a compose file for a node with its Sentinel, whose rewritten files lie in volumes', () => {
    const compose = parse(readFileSync(join(DEPLOY, 'compose.redis-node.yaml'), 'utf8'), { merge: true }) as {
      services: Record<string, { read_only: boolean; entrypoint: string[]; volumes: string[] }>;
      volumes: Record<string, null>;
    };
    expect(Object.keys(compose.services)).toEqual(['redis', 'sentinel']);
    for (const [name, { read_only, entrypoint, volumes }] of Object.entries(compose.services)) {
      expect(read_only).toBe(true);
      expect(volumes).toContain(`${name}:${entrypoint[2]}`);
      for (const text of volumes.filter((one) => one.startsWith('.'))) {
        const [file, target, mode] = text.split(':');
        readFileSync(join(DEPLOY, file));
        expect([target, mode]).toEqual([join('/etc/mediastreamer', file), 'ro']);
      }
    }
    expect(Object.keys(compose.volumes)).toEqual(['redis', 'sentinel']);
  });
});
