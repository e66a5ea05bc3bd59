/**
 * An edge with a million addresses: ready in 2 s from Redis and in 1 s from its disk, and 10,000 changes/s followed for
 * a minute without lag growing, while the p99 of its DNS answers moves by less than a factor of 2.
 *
 * The edge is alone on processor 1; Redis, the writer of changes and this bench share processor 0. Redis does not
 * sync to disk here: what is measured is the edge.
 *
 *   npm run bench -- feed [--addresses 1000000] [--rate 10000] [--seconds 60]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeList, putList, startRedis } from './support/feed-source.ts';
import { table } from './support/pairs.ts';
import { probe } from './support/prober.ts';
import { type Server, startServer } from './support/process.ts';

const ROOT = join(import.meta.dirname, '..');
const EDGE_PROCESSOR = 1;
const OTHER_PROCESSOR = 0;
const NAME = 'netflix.com';
const PROBE_RATE = 1_000;

const { values } = parseArgs({
  options: {
    addresses: { type: 'string', default: '1000000' },
    rate: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '60' },
  },
});
const addresses = Number(values.addresses);
const seconds = Number(values.seconds);

interface FeedEdge extends Server {
  readonly port: number;
  readonly metrics: string;
  /** From the start of the process until it is ready with its list. */
  readonly readySeconds: number;
  /** What of it its threads used of a processor. */
  readonly readyCpuSeconds: number;
}

interface Allowlist {
  readonly state: string;
  readonly seq: number;
  readonly entries: number;
  readonly lagChanges: number;
}

async function startEdge(directory: string, store: string, state: string): Promise<FeedEdge> {
  const file = join(directory, 'config.yaml');
  writeFileSync(
    file,
    `
dataDir: ${JSON.stringify(join(directory, 'var'))}
roles: [edge]
store: ${store}
dns: { udp: ["127.0.0.1:0"], tcp: ["127.0.0.1:0"], workers: 1 }
upstreams: ["udp://127.0.0.1:9"]
catalog: { services: [${JSON.stringify(join(ROOT, 'config/services/*.yaml'))}] }
regions: { us: { relays: [{ address: 192.0.2.10 }] }, gb: { relays: [{ address: 192.0.2.20 }] } }
defaultRegion: us
metrics: { listen: ["127.0.0.1:0"] }
`,
  );
  const ready: Record<string, string[]> = {};
  const startedAt = performance.now();
  const server = await startServer(
    EDGE_PROCESSOR,
    [process.execPath, '--max-semi-space-size=8', join(ROOT, 'src/main.ts'), 'serve', '--config', file],
    (line) => {
      const entry = JSON.parse(line) as Record<string, string[]> & { msg: string };
      if (entry.msg === 'ready') Object.assign(ready, entry);
      return entry.msg === 'ready';
    },
    { MALLOC_ARENA_MAX: '2', NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/mediastreamer') },
  );
  const metrics = ready['metrics']![0]!;
  const found = await allowlist(metrics);
  if (found.state !== state) throw new Error(`the edge is ${found.state} and not ${state}`);
  const readySeconds = (performance.now() - startedAt) / 1000;
  const readyCpuSeconds = server.cpuSeconds();
  if (found.entries !== addresses + 1) throw new Error(`the edge has ${found.entries} entries`);
  return { ...server, metrics, readySeconds, readyCpuSeconds, port: Number(ready['udp']![0]!.split(':')[1]) };
}

async function allowlist(metrics: string): Promise<Allowlist> {
  const { checks } = (await (await fetch(`${metrics}/readyz`)).json()) as {
    checks: (Allowlist & { name: string })[];
  };
  return checks.find(({ name }) => name === 'allowlist')!;
}

async function metric(metrics: string, name: string): Promise<number> {
  const text = await (await fetch(`${metrics}/metrics`)).text();
  return Number(new RegExp(`^mediastreamer_${name} (.*)$`, 'm').exec(text)![1]);
}

/** Writes changes from a process of its own. @returns the number of the last one */
async function write(url: string): Promise<number> {
  const script = join(import.meta.dirname, 'support/feed-writer.ts');
  const args = [script, url, values.addresses, values.rate, values.seconds];
  const child = spawn('taskset', ['-c', String(OTHER_PROCESSOR), process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  return Number(text);
}

function readyTime({ readySeconds, readyCpuSeconds }: FeedEdge): string {
  return `${readySeconds.toFixed(2)} s (${readyCpuSeconds.toFixed(2)} s of a processor)`;
}

const directory = mkdtempSync(join(tmpdir(), 'bench-feed-'));
const redis = await startRedis(OTHER_PROCESSOR, { durable: false });
await putList(redis.url, makeList(addresses));
let isRedisStopped = false;
const rows: string[][] = [['', 'measured', 'wanted']];
try {
  const edge = await startEdge(directory, redis.url, 'following');
  rows.push([`ready from Redis with ${addresses} addresses`, readyTime(edge), '2 s']);
  await probe(edge.port, NAME, PROBE_RATE, 2);
  const quiet = await probe(edge.port, NAME, PROBE_RATE, Math.max(5, seconds / 4));

  const lags: number[] = [];
  const watching = setInterval(() => {
    void allowlist(edge.metrics).then(
      ({ lagChanges }) => lags.push(lagChanges),
      () => {},
    );
  }, 500);
  const cpuBefore = edge.cpuSeconds();
  const written = write(redis.url);
  const busy = await probe(edge.port, NAME, PROBE_RATE, seconds);
  const lastSeq = await written;
  const writtenAt = performance.now();
  clearInterval(watching);
  while ((await allowlist(edge.metrics)).seq < lastSeq)
    await new Promise((resolve) => setTimeout(resolve, 2));
  const caughtUpMs = performance.now() - writtenAt;
  const cpu = (edge.cpuSeconds() - cpuBefore) / seconds;
  const half = lags.length >> 1;
  const worst = (from: number, to: number) => Math.max(0, ...lags.slice(from, to));
  rows.push(
    [
      `changes followed, at ${values.rate}/s for ${seconds} s`,
      String(lastSeq - 1),
      String(Number(values.rate) * seconds),
    ],
    [
      'largest lag, first half and second half',
      `${worst(0, half)}, ${worst(half, lags.length)} changes`,
      'not growing',
    ],
    ['caught up after the last change', `${caughtUpMs.toFixed(0)} ms`, ''],
    ['full reloads', String(await metric(edge.metrics, 'allowlist_reloads')), '0'],
    ['digests that differed', String(await metric(edge.metrics, 'allowlist_digest_mismatches')), '0'],
    ['processor time of the edge', `${(100 * cpu).toFixed(0)} %`, ''],
    ['DNS p99 while quiet', `${quiet.p99Ms.toFixed(2)} ms (p50 ${quiet.p50Ms.toFixed(2)})`, ''],
    [
      'DNS p99 meanwhile',
      `${busy.p99Ms.toFixed(2)} ms (p50 ${busy.p50Ms.toFixed(2)})`,
      `below ${(2 * quiet.p99Ms).toFixed(2)} ms`,
    ],
    ['queries lost', `${quiet.lost + busy.lost} of ${quiet.sent + busy.sent}`, '0'],
    ['memory of the edge', `${(edge.rssBytes() / 2 ** 20).toFixed(0)} MiB`, ''],
  );
  await edge.stop();
  await redis.stop();
  isRedisStopped = true;
  const fromDisk = await startEdge(directory, redis.url, 'from-disk');
  rows.push(['ready from disk, Redis refusing connections', readyTime(fromDisk), '1 s']);
  await fromDisk.stop();
  table(rows);
} finally {
  if (!isRedisStopped) await redis.stop();
  rmSync(directory, { recursive: true, force: true });
}
