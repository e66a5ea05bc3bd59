import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { digestSnapshot, encodeSnapshot, type Profile, type Snapshot } from '../../src/feed/index.ts';
import { Key, MetaField } from '../../src/registry/store/redis/keys.ts';

export const EPOCH = 'bench-epoch';
/** The list of the bench begins here: 20.0.0.0, and then each next address. */
export const FIRST_ADDRESS = 20 * 2 ** 24;
/** Homes choose alike: so many different profiles. */
const PROFILES = 64;

export interface BenchRedis {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** A redis-server of its own. `durable`: with appendfsync always, as in production. */
export async function startRedis(
  processor: number,
  { durable, port }: { durable: boolean; port?: number },
): Promise<BenchRedis> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-redis-'));
  const at = port ?? (await freeTcpPort());
  const store = durable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
  const own = ['--port', String(at), '--bind', '127.0.0.1', '--dir', directory, '--save', ''];
  const child = spawn('taskset', ['-c', String(processor), 'redis-server', ...own, ...store], {
    stdio: 'ignore',
  });
  const probe = new Redis({ port: at, host: '127.0.0.1', protocol: 2, maxRetriesPerRequest: null });
  probe.on('error', () => {});
  await probe.ping();
  probe.disconnect();
  return {
    url: `redis://127.0.0.1:${at}/0`,
    port: at,
    async stop() {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await exited;
      rmSync(directory, { recursive: true });
    },
  };
}

/** `count` IPv4 addresses, and those that the bench asks from: 127.0.0.1, or others as numbers. */
export function makeList(count: number, own: readonly number[] = [0x7f00_0001]): Snapshot {
  const profiles = Array.from({ length: PROFILES }, (_, index) => profileOf(index));
  const keys = Buffer.alloc(4 * (count + own.length));
  const indexes = new Uint16Array(count + own.length);
  for (let index = 0; index < count; index++) {
    keys.writeUInt32BE(FIRST_ADDRESS + index, 4 * index);
    indexes[index] = index % PROFILES;
  }
  for (const [index, address] of own.entries()) keys.writeUInt32BE(address, 4 * (count + index));
  const group = { family: 4, length: 32, count: count + own.length, keys, profiles: indexes } as const;
  return { version: 1, epoch: EPOCH, seq: 1, profiles, groups: [group] };
}

export function profileOf(index: number): Profile {
  return {
    region: index % 2 === 0 ? 'us' : 'gb',
    services: { netflix: `region-${index >> 1}` },
    ipv4: true,
    ipv6: false,
  };
}

/** Puts a list in Redis as a control does. */
export async function putList(url: string, list: Snapshot): Promise<void> {
  const redis = new Redis(url, { protocol: 2 });
  const [digestA, digestB] = digestSnapshot(list).split('.');
  await redis.set(Key.SNAPSHOT, Buffer.from(encodeSnapshot(list)));
  await redis.hset(Key.META, {
    [MetaField.FORMAT]: 1,
    [MetaField.LEAST_FORMAT]: 1,
    [MetaField.EPOCH]: list.epoch,
    [MetaField.SEQ]: list.seq,
    [MetaField.TRIMMED]: list.seq,
    [MetaField.SNAPSHOT_SEQ]: list.seq,
    [MetaField.DIGEST_A]: digestA!,
    [MetaField.DIGEST_B]: digestB!,
    [MetaField.HEARTBEAT]: Date.now(),
  });
  redis.disconnect();
}

async function freeTcpPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
