/** Ended addresses leave Redis, its file, and the files of edges in other processes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Key } from '../../../src/registry/store/redis/keys.ts';
import { storeFace } from '../../../src/registry/store/redis/redis-store.ts';
import { hash, mark, newAccount, registration } from '../../contract/store-support.ts';
import { openTestStore } from '../../registry/redis/support.ts';
import type { RunningService } from '../../support/service.ts';
import { ask, reaches, SERVED, soon, startEdge, startRedis } from './support.ts';

const GONE = '127.44.201.203';
const KEPT = '127.44.201.204';
const LABEL = 'the house by the lake';
/** The defaults are 60 s, 20 s and 30 s; the documentation states the resulting time. */
const CHORES = { logKeepMs: 1_000, snapshotEveryMs: 500, rewriteEveryMs: 500 };
/** Twice the time of one erasure (log time and a quarter, rewrite), because one may wait for another. */
const STATED_MS = 2 * (1_250 + 500);
/** An edge writes a changed allowlist every five seconds. */
const EDGE_MS = 5_000;
/** The control's heartbeat of a second before each of four steps, and slack for a busy machine. */
const SLACK_MS = 15_000;

function everyByte(directory: string): Buffer {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Buffer.concat(files.map(({ parentPath, name }) => readUnlessGone(join(parentPath, name))));
}

/** Files may be replaced while they are read. */
function readUnlessGone(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

function bytesOf(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

it('an ended address leaves Redis, its file and the files of all edges within the stated time', async () => {
  const server = await startRedis({ args: ['--rdbcompression', 'no'] });
  const opened = await openTestStore(server.url, { leader: CHORES });
  onTestFinished(() => opened.close());
  const store = storeFace(opened);
  await store.createAccount(newAccount('keeps'));
  await store.createAccount(newAccount('goes'));
  await store.register(registration('keeps', KEPT));
  await store.register(registration('goes', GONE, { label: LABEL, idempotency: mark('goes') }));
  const edges = await Promise.all([startEdge(server.edgeUrl), startEdge(server.edgeUrl)]);
  const client = server.client();
  onTestFinished(() => client.disconnect());
  const isIn = (edge: RunningService, address: string): boolean =>
    everyByte(edge.dataDir).includes(bytesOf(address));
  for (const edge of edges) {
    await reaches(edge, 'following');
    expect(await ask(edge, GONE)).toBe(SERVED);
    await soon(() => isIn(edge, GONE));
  }
  expect(everyByte(server.directory).includes(bytesOf(GONE))).toBe(true);

  const startedMs = performance.now();
  expect(await store.deleteAccount('goes')).toBe(true);
  for (const edge of edges) await soon(async () => (await ask(edge, GONE)) === 'REFUSED', 1_000);
  // Other addresses come and go: the log is never empty, and erasures wait for one another.
  let turn = 0;
  const going = setInterval(() => {
    const step = registration('keeps', '127.44.201.205', { id: `r${turn}` });
    const isAdding = turn++ % 2 === 0;
    const done = isAdding
      ? store.register(step)
      : store.removeRegistration({ accountId: 'keeps', id: `r${turn - 2}` });
    void Promise.resolve(done).catch(() => {});
  }, 150);
  onTestFinished(() => clearInterval(going));

  const traces: readonly [string, Buffer][] = [
    ['the address', bytesOf(GONE)],
    ['the address as text', Buffer.from(GONE)],
    ['the label', Buffer.from(LABEL)],
    ['the secret', Buffer.from(hash('secret of goes'))],
    ['the account', Buffer.from('goes')],
  ];
  const found = async (): Promise<string[]> => {
    const places: [string, Buffer][] = [['a file of Redis', everyByte(server.directory)]];
    for (const [index, edge] of edges.entries())
      places.push([`a file of edge ${index}`, everyByte(edge.dataDir)]);
    for (const key of await client.keys('*')) {
      const dumped = await client.dumpBuffer(key);
      if (dumped !== null) places.push([key, dumped]);
    }
    return places.flatMap(([place, bytes]) =>
      traces.filter(([, trace]) => bytes.includes(trace)).map(([what]) => `${what} in ${place}`),
    );
  };
  await soon(async () => {
    const left = await found();
    return left.length === 0 || left;
  }, Math.max(STATED_MS, EDGE_MS) + SLACK_MS);
  const tookMs = performance.now() - startedMs;
  expect(tookMs).toBeLessThan(Math.max(STATED_MS, EDGE_MS) + SLACK_MS);
  clearInterval(going);

  for (const edge of edges) {
    expect(await ask(edge, KEPT)).toBe(SERVED);
    expect(isIn(edge, KEPT)).toBe(true);
    expect(edge.output).not.toContain(GONE);
    expect(edge.output).not.toContain(LABEL);
  }
  expect(everyByte(server.directory).includes(bytesOf(KEPT))).toBe(true);
  expect(await client.slowlog('LEN')).toBe(0);
  expect(await client.hlen(Key.ENTRIES)).toBeGreaterThan(0);
}, 90_000);
