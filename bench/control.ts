/**
 * The control API under load, with the store on disk: how many calls a second, and how long they take.
 *
 * The server is a process of its own, with the registry as it is shipped (a change is synced before its reply).
 * With --store redis it is on a redis-server that the bench starts, appendfsync always; a redis:// URL is one that runs.
 * Registrations are bounded by the disk's syncs, so give a directory on the disk that is meant: /tmp may be memory.
 * No claim is tied to the figures; a call that is not answered 2xx makes it exit 1.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { createControl } from '../src/control/index.ts';
import { openRegistry } from '../src/registry/index.ts';
import { benchOptions } from './support/options.ts';
import { startRedis } from './support/redis.ts';

const ADMIN_KEY = 'admin-key-of-the-bench';
const REGIONS = ['us', 'gb'];
const WARM_UP_SECONDS = 1;

interface ServerReport {
  url: string;
}

/** A request, and the body that every reply must have. */
type BenchRequest = autocannon.Request & { expected?: string };

/** One line of the table. */
interface Figure {
  call: string;
  callsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  failed: number;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The server's process: sends its URL, and ends with its parent. */
async function serve(dataDir: string, store: string): Promise<void> {
  const registry = await openRegistry({
    store,
    dataDir,
    perAccount: 5,
    leaseDays: 90,
    allowPrivate: true,
    defaultRegion: () => 'us',
    regions: () => REGIONS,
    isOwn: () => false,
    now: Date.now,
    randomBytes,
  });
  const control = await createControl({
    registry,
    lookUpHost: async () => ({ addresses: [], families: [], ttlSeconds: 0 }),
    adminKeys: () => [createHash('sha256').update(ADMIN_KEY).digest()],
    changes: { changes: Number.MAX_SAFE_INTEGER },
    trustedProxies: [],
    regions: () => REGIONS,
    services: () => [],
    catalogVersion: () => '0',
    publicUrl: 'http://127.0.0.1',
    version: '0.0.0',
    logger: { error: (fields, message) => print(`${message} ${JSON.stringify(fields)}`) },
    now: Date.now,
    // One account updates all the time here.
    updates: { updates: Number.MAX_SAFE_INTEGER },
  });
  const [listener] = await control.listen([{ host: '127.0.0.1', port: 0 }]);
  process.send!({ url: `http://127.0.0.1:${listener!.port}` } satisfies ServerReport);
  await once(process, 'disconnect');
  await control.close(0);
  await registry.close();
}

/** Distinct public addresses for distinct numbers: 20.0.0.0/8. */
function addressAt(index: number): string {
  return `20.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;
}

async function createAccount(url: string, perAccount: number): Promise<{ id: string; secret: string }> {
  const reply = await fetch(`${url}/v1/accounts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ perAccount }),
  });
  return (await reply.json()) as { id: string; secret: string };
}

/** A router's update that only renews the lease, after one that registers. */
async function updateRequest(url: string): Promise<BenchRequest> {
  const { id, secret } = await createAccount(url, 5);
  const reply = await fetch(`${url}/v1/update-tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
    body: JSON.stringify({ label: 'router' }),
  });
  const { token } = (await reply.json()) as { token: string };
  const authorization = `Basic ${Buffer.from(`${id}:${token}`).toString('base64')}`;
  const headers = { authorization, 'user-agent': 'bench/1' };
  const path = '/nic/update?hostname=home.example&myip=127.0.0.1';
  await fetch(url + path, { headers });
  return { method: 'GET', path, headers, expected: 'nochg 127.0.0.1' };
}

async function measure(
  call: string,
  url: string,
  request: BenchRequest,
  load: { seconds: number; connections: number },
): Promise<Figure> {
  const { expected, ...sent } = request;
  let unexpected = 0;
  const onResponse = (_status: number, body: string): void => {
    if (expected !== undefined && body !== expected) unexpected += 1;
  };
  const options = { url, connections: load.connections, requests: [{ ...sent, onResponse }] };
  await autocannon({ ...options, duration: WARM_UP_SECONDS });
  const result = await autocannon({ ...options, duration: load.seconds });
  return {
    call,
    callsPerSecond: result['2xx'] / result.duration,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failed: result.non2xx + result.errors + unexpected,
  };
}

async function measureAll(url: string, load: { seconds: number; connections: number }): Promise<Figure[]> {
  const { secret } = await createAccount(url, 5);
  const authorization = `Bearer ${secret}`;
  const admin = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };
  const { id } = await createAccount(url, 10);
  const update = await updateRequest(url);
  let made = 0;
  const newAddress: autocannon.Request = {
    method: 'POST',
    path: `/v1/accounts/${id}/registrations`,
    headers: admin,
    setupRequest: (request) => {
      made += 1;
      return { ...request, body: JSON.stringify({ address: addressAt(made), replace: 'oldest' }) };
    },
  };
  const own = { headers: { authorization } };
  const calls: [string, BenchRequest][] = [
    ['/nic/update, nochg', update],
    ['register, a renewal', { method: 'POST', path: '/v1/registrations', ...own }],
    ['register, a new address', newAddress],
    ['everything for the page', { method: 'GET', path: '/v1/page', ...own }],
    ['list the registrations', { method: 'GET', path: '/v1/registrations', ...own }],
    ['show the address', { method: 'GET', path: '/v1/ip' }],
  ];
  const figures: Figure[] = [];
  for (const [call, request] of calls) figures.push(await measure(call, url, request, load));
  return figures;
}

function printTable(figures: readonly Figure[]): void {
  print(
    `${'call'.padEnd(26)}${'calls/s'.padStart(9)}${'p50 ms'.padStart(9)}${'p99 ms'.padStart(9)}${'failed'.padStart(9)}`,
  );
  for (const { call, callsPerSecond, p50Ms, p99Ms, failed } of figures) {
    const numbers = [callsPerSecond.toFixed(0), p50Ms.toFixed(1), p99Ms.toFixed(1), String(failed)];
    print(`${call.padEnd(26)}${numbers.map((text) => text.padStart(9)).join('')}`);
  }
}

async function startServer(dataDir: string, store: string): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(import.meta.filename, ['--serve', dataDir, '--store', store]);
  const [{ url }] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error('the server did not start'))),
  ])) as [ServerReport];
  return { child, url };
}

async function main(): Promise<void> {
  const values = benchOptions(import.meta.url, {
    dir: [tmpdir(), 'directory of the store; choose the disk that is meant'],
    seconds: ['5', 'length of a round'],
    connections: ['16', 'connections of the load'],
    store: ['embedded', 'embedded, redis, or a redis:// URL'],
    serve: [null, 'used by the bench itself'],
  });
  if (values.serve !== undefined) return serve(values.serve, values.store);
  const dataDir = await mkdtemp(join(values.dir, 'bench-control-'));
  const redis = values.store === 'redis' ? await startRedis(dataDir) : null;
  try {
    const { child, url } = await startServer(dataDir, redis?.url ?? values.store);
    const load = { seconds: Number(values.seconds), connections: Number(values.connections) };
    print(
      `${load.connections} connections, ${load.seconds} s each, loopback, ${values.store} store in ${values.dir}`,
    );
    const figures = await measureAll(url, load);
    printTable(figures);
    child.disconnect();
    await once(child, 'exit');
    if (figures.some(({ failed }) => failed > 0)) process.exitCode = 1;
  } finally {
    await redis?.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

await main();
