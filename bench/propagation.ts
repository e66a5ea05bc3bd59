/**
 * Ten edges on one machine: from the 2xx of a registration to the first relay answer at every edge, p99 under 50 ms at
 * 100 changes/s.
 *
 * A control with Redis (appendfsync always), ten edges with one UDP thread each, and this bench, which registers an
 * address, and from its 2xx on asks each edge from that address until it gives the relay. All of them share the
 * machine's processors.
 *
 *   npm run bench -- propagation [--edges 10] [--rate 100] [--seconds 20]
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Agent, request } from 'undici';
import { ADMIN_KEY } from './support/edge.ts';
import { startRedis } from './support/feed-source.ts';
import { table } from './support/pairs.ts';
import { queryFor } from './support/prober.ts';
import { type Server, startServer } from './support/process.ts';

const ROOT = join(import.meta.dirname, '..');
const NAME = 'netflix.com';
/** All that there are, as taskset has it. */
const ANY_PROCESSOR = `0-${availableParallelism() - 1}`;
const AGAIN_MS = 4;
const LATE_MS = 5_000;
const PER_ACCOUNT = 10_000;

const { values } = parseArgs({
  options: {
    edges: { type: 'string', default: '10' },
    rate: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '20' },
  },
});
const rate = Number(values.rate);
const total = rate * Number(values.seconds);

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
    '--max-semi-space-size=2',
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

/** Asks each edge from an address until it gives a relay. @returns the time of the last one, in ms */
async function served(address: string, ports: readonly number[]): Promise<number> {
  const socket = createSocket('udp4').bind(0, address);
  await once(socket, 'listening');
  const startedAt = performance.now();
  const left = new Set(ports);
  const send = (): void => {
    for (const port of left) socket.send(queryFor(NAME, port), port, '127.0.0.1');
  };
  const again = setInterval(send, AGAIN_MS);
  send();
  try {
    await relays(socket, left);
  } finally {
    clearInterval(again);
    socket.close();
  }
  return performance.now() - startedAt;
}

function relays(socket: Socket, left: Set<number>): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('an edge never served an address')), LATE_MS);
    socket.on('message', (reply, { port }) => {
      if ((reply[3]! & 15) !== 0 || reply.readUInt16BE(6) === 0) return;
      left.delete(port);
      if (left.size > 0) return;
      clearTimeout(late);
      resolve();
    });
  });
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
  const ports = servers.slice(1).map(({ udp }) => Number(udp[0]!.split(':')[1]));
  const accounts: string[] = [];
  for (let made = 0; made < total; made += PER_ACCOUNT) accounts.push((await call('/v1/accounts', {})).id);

  const times: number[] = [];
  const replies: number[] = [];
  const running: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let made = 0; made < total; made++) {
    const dueMs = (made / rate) * 1000 - (performance.now() - startedAt);
    if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
    const address = `127.${100 + (made >> 16)}.${(made >> 8) & 255}.${made & 255}`;
    const account = accounts[Math.floor(made / PER_ACCOUNT)]!;
    const one = async (): Promise<void> => {
      const askedAt = performance.now();
      await call(`/v1/accounts/${account}/registrations`, { address });
      replies.push(performance.now() - askedAt);
      times.push(await served(address, ports));
    };
    running.push(one());
  }
  await Promise.all(running);
  const seconds = (performance.now() - startedAt) / 1000;
  const at = (from: number[], part: number) =>
    from.sort((a, b) => a - b)[Math.min(from.length - 1, Math.floor(part * from.length))]!.toFixed(1);
  table([
    ['', 'measured', 'wanted'],
    ['edges', values.edges, '10'],
    ['changes a second', (total / seconds).toFixed(0), values.rate],
    ['2xx to the first relay answer at every edge, p99', `${at(times, 0.99)} ms`, 'below 50 ms'],
    ['  p50', `${at(times, 0.5)} ms`, ''],
    ['  largest', `${at(times, 1)} ms`, ''],
    ['the reply of the API itself, p99', `${at(replies, 0.99)} ms (p50 ${at(replies, 0.5)})`, ''],
  ]);
} finally {
  await agent.destroy();
  for (const server of servers) await server.stop();
  await redis.stop();
  rmSync(directory, { recursive: true, force: true });
}
