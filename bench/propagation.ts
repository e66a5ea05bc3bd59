/**
 * Ten edges on one machine: from the 2xx of a registration to the first relay answer at every edge, p99 under 50 ms at
 * 100 changes/s.
 *
 * A control with Redis (appendfsync always), ten edges with one UDP thread each, and this bench, which registers an
 * address, and from its 2xx on asks each edge from that address until it gives the relay. All of them share the
 * machine's processors. The first seconds are warm-up: eleven processes then compile their code.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { formatAddress } from '../src/net/index.ts';
import { ADMIN_KEY } from './support/edge.ts';
import { startRedis } from './support/feed-source.ts';
import { addressOf, FirstRelay } from './support/first-relay.ts';
import { benchOptions } from './support/options.ts';
import { table } from './support/pairs.ts';
import { type Server, startServer } from './support/process.ts';
import { RESULTS_DIRECTORY, writeResult } from './support/results.ts';

const ROOT = join(import.meta.dirname, '..');
const NAME = 'netflix.com';
/** All that there are, as taskset has it. */
const ANY_PROCESSOR = `0-${availableParallelism() - 1}`;
const PER_ACCOUNT = 10_000;
const IDLE_MS = 5_000;
const P99_MS = 50;

const values = benchOptions(import.meta.url, {
  edges: ['10', 'edges'],
  rate: ['100', 'registrations a second'],
  seconds: ['20', 'seconds measured'],
  'warm-up': ['5', 'seconds before measuring'],
  out: [RESULTS_DIRECTORY, 'directory of the raw results'],
});
const rate = Number(values.rate);
const warmUp = rate * Number(values['warm-up']);
const total = warmUp + rate * Number(values.seconds);

interface Ready {
  readonly udp: readonly string[];
  readonly control: readonly string[];
}

async function start(folder: string, fields: string): Promise<Server & Ready> {
  mkdirSync(folder);
  const file = join(folder, 'config.yaml');
  writeFileSync(
    file,
    `
dataDir: ${JSON.stringify(join(folder, 'var'))}
store: ${redis.url}
upstreams: ["udp://127.0.0.1:9"]
cache: { bytes: 1MiB }
catalog: { services: [${JSON.stringify(join(ROOT, 'config/services/netflix.yaml'))}] }
regions: { us: { relays: [{ address: 192.0.2.10 }] }, gb: { relays: [{ address: 192.0.2.20 }] } }
defaultRegion: us
registration: { allowPrivate: true, perAccount: ${PER_ACCOUNT} }
metrics: { listen: ["127.0.0.1:0"] }
${fields}
`,
  );
  let ready: Ready | null = null;
  const command = [
    process.execPath,
    '--max-semi-space-size=8',
    join(ROOT, 'src/main.ts'),
    'serve',
    '--config',
    file,
  ];
  const server = await startServer(
    ANY_PROCESSOR,
    command,
    (line) => {
      if (!line.startsWith('{')) return false;
      const entry = JSON.parse(line) as Ready & { msg: string };
      if (entry.msg === 'ready') ready = entry;
      return entry.msg === 'ready';
    },
    { MALLOC_ARENA_MAX: '2' },
  );
  return { ...server, ...ready! };
}

const agent = new Agent({ connections: 32 });
async function call(path: string, body: object): Promise<{ id: string }> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };
  const reply = await request(`${api}${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
    dispatcher: agent,
  });
  const answer = (await reply.body.json()) as { id: string };
  if (reply.statusCode !== 201) throw new Error(`${path}: ${reply.statusCode}`);
  return answer;
}

/** Registers all addresses at their times. @returns how long each took until its 2xx, in ms */
async function registerAll(accounts: readonly string[], prober: FirstRelay): Promise<Float64Array> {
  const replies = new Float64Array(total);
  const running: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let n = 0; n < total; n++) {
    const dueMs = (n / rate) * 1000 - (performance.now() - startedAt);
    if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
    const account = accounts[Math.floor(n / PER_ACCOUNT)]!;
    const one = async (): Promise<void> => {
      const askedAt = performance.now();
      const address = formatAddress({ family: 4, bytes: addressOf(n) });
      await call(`/v1/accounts/${account}/registrations`, { address });
      prober.registered(n);
      replies[n] = performance.now() - askedAt;
    };
    running.push(one());
  }
  await Promise.all(running);
  return replies;
}

/** Processor time of servers over a while, as a part of one processor. */
async function processorTime(of: readonly Server[], during: () => Promise<unknown>): Promise<number[]> {
  const before = of.map((server) => server.cpuSeconds());
  const startedAt = performance.now();
  await during();
  const seconds = (performance.now() - startedAt) / 1000;
  return of.map((server, index) => (server.cpuSeconds() - before[index]!) / seconds);
}

const directory = mkdtempSync(join(tmpdir(), 'bench-propagation-'));
const redis = await startRedis(0, { durable: true });
const servers: (Server & Ready)[] = [];
let api = '';
try {
  const control = `roles: [control]
dns: { udp: [], tcp: [] }
control: { listen: ["127.0.0.1:0"], adminKey: ${ADMIN_KEY} }`;
  servers.push(await start(join(directory, 'control'), control));
  api = servers[0]!.control[0]!;
  const edge = 'roles: [edge]\ndns: { udp: ["127.0.0.1:0"], tcp: [], workers: 1 }';
  for (let index = 0; index < Number(values.edges); index++) {
    servers.push(await start(join(directory, `edge-${index}`), edge));
  }
  const edges = servers.slice(1);
  const ports = edges.map(({ udp }) => Number(udp[0]!.split(':')[1]));
  const accounts: string[] = [];
  for (let made = 0; made < total; made += PER_ACCOUNT) accounts.push((await call('/v1/accounts', {})).id);
  const idle = await processorTime(edges, () => new Promise((resolve) => setTimeout(resolve, IDLE_MS)));

  const prober = new FirstRelay({ name: NAME, ports, total });
  let replies: Float64Array = new Float64Array(0);
  const busy = await processorTime(servers, async () => {
    replies = await registerAll(accounts, prober);
    await prober.done();
  });
  const everywhere = Array.from({ length: total }, (_, n) =>
    Math.max(...prober.delaysMs.subarray(n * ports.length, (n + 1) * ports.length)),
  );
  if (everywhere.some(Number.isNaN)) throw new Error('an edge never served an address');
  const times = everywhere.slice(warmUp);
  const at = (from: ArrayLike<number>, part: number) =>
    Array.from(from).sort((a, b) => a - b)[Math.min(from.length - 1, Math.floor(part * from.length))]!;
  const p99 = at(times, 0.99);
  const reply = replies.slice(warmUp);
  const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length;
  table([
    ['', 'measured', 'wanted'],
    ['edges', values.edges, '10'],
    ['changes', String(times.length), ''],
    ['changes a second', values.rate, '100'],
    ['2xx to the first relay answer at every edge, p99', `${p99.toFixed(1)} ms`, `below ${P99_MS} ms`],
    ['  p50', `${at(times, 0.5).toFixed(1)} ms`, ''],
    ['  largest', `${at(times, 1).toFixed(1)} ms`, ''],
    ['  largest while warming up', `${at(everywhere.slice(0, warmUp), 1).toFixed(1)} ms`, ''],
    ['the reply of the API, p50', `${at(reply, 0.5).toFixed(1)} ms`, ''],
    ['  p99', `${at(reply, 0.99).toFixed(1)} ms`, ''],
    ['processor time of an edge while idle', `${(100 * mean(idle)).toFixed(2)} %`, ''],
    ['  at this rate', `${(100 * mean(busy.slice(1))).toFixed(1)} %`, ''],
    ['processor time of the control', `${(100 * busy[0]!).toFixed(1)} %`, ''],
  ]);
  writeResult(values.out, {
    bench: 'propagation',
    options: { edges: Number(values.edges), rate, seconds: Number(values.seconds), warmUp },
    series: [
      { group: '2xx to every edge', label: 'edges', unit: 'ms', values: everywhere },
      { group: '2xx to every edge', label: 'API', unit: 'ms', values: [...replies] },
    ],
  });
  if (p99 >= P99_MS) process.exitCode = 1;
} finally {
  await agent.destroy();
  for (const server of servers) await server.stop();
  await redis.stop();
  rmSync(directory, { recursive: true, force: true });
}
