/**
 * A device's visit (the name's address by DNS, then what it fetches through the relay) costs no more CPU and memory than
 * with the pair that people run today: tuned dnsdist, and nginx's ssl_preread behind it; same list, same names.
 *
 * Servers share processor 0, and clients, origin and Redis processor 1; loopback. Where a home has a new address, dnsdist
 * and nginx take their lists in anew, which is the time until they serve.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadServices, readServiceFiles } from '../src/catalog/index.ts';
import { freePort } from './support/edge.ts';
import { FIRST_ADDRESS } from './support/feed-source.ts';
import { startListedEdge } from './support/listed-edge.ts';
import { benchOptions } from './support/options.ts';
import { median, medianAndRange, table } from './support/pairs.ts';
import { PEERS, startPeer } from './support/peers.ts';
import { requirePrograms } from './support/programs.ts';
import { RelayLoad } from './support/relay-clients.ts';
import { NAME } from './support/relay-load.ts';
import { startListedNginx, startUpstream } from './support/relays.ts';
import { RESULTS_DIRECTORY, type Series, writeResult } from './support/results.ts';

const SERVER_PROCESSOR = 0;
const LOAD_PROCESSOR = 1;
const ORIGIN_PORT = 18_950;
const AT_ONCE = 32;
const RELAY = '192.0.2.10';
const TTL_SECONDS = 60;
const MIB = 2 ** 20;

const values = benchOptions(import.meta.url, {
  addresses: ['1000000', 'registered addresses'],
  rounds: ['5', 'rounds'],
  visits: ['3000', 'visits a round'],
  kilobytes: ['100', 'kB that a visit fetches'],
  out: [RESULTS_DIRECTORY, 'directory of the raw results'],
});
requirePrograms(['taskset', 'dnsdist', 'nginx', 'redis-server']);

/** Everything that serves a device: one process of ours, two of theirs. */
interface Stack {
  readonly label: string;
  readonly dnsPort: number;
  readonly relayPort: number;
  readonly startSeconds: number;
  cpuSeconds(): number;
  rssBytes(): number;
  stop(): Promise<void>;
}

async function shippedNames(): Promise<string[]> {
  const directory = join(import.meta.dirname, '../config');
  const read = await readServiceFiles({
    patterns: ['services/*.yaml'],
    directory,
    configFile: 'default.yaml',
  });
  return [...new Set(loadServices(read.files).services.flatMap((service) => service.names))];
}

async function startOurs(directory: string, upstreamPort: number): Promise<Stack> {
  mkdirSync(join(directory, 'services'));
  const service = { service: 'relayed', title: 'Relayed', regions: ['us'], names: [NAME] };
  writeFileSync(join(directory, 'services/relayed.yaml'), JSON.stringify(service));
  const edge = await startListedEdge({
    processor: SERVER_PROCESSOR,
    otherProcessor: LOAD_PROCESSOR,
    addresses: Number(values.addresses),
    relay: RELAY,
    beside: {
      services: join(directory, 'services/*.yaml'),
      upstream: `udp://127.0.0.1:${upstreamPort}`,
      originPort: ORIGIN_PORT,
    },
  });
  return { ...edge, label: 'mediastreamer', dnsPort: edge.port };
}

async function startPair(names: readonly string[]): Promise<Stack> {
  const allowed = Array.from({ length: Number(values.addresses) }, (_, i) => {
    const word = FIRST_ADDRESS + i;
    return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255].join('.');
  });
  allowed.push('127.0.0.1');
  const startedAt = performance.now();
  const job = { names, relay: RELAY, ttlSeconds: TTL_SECONDS, allowed };
  const port = await freePort();
  const dnsdist = await startPeer(PEERS['dnsdist-tuned']!, SERVER_PROCESSOR, job);
  const nginx = await startListedNginx(SERVER_PROCESSOR, { port, originPort: ORIGIN_PORT, allowed, names });
  return {
    label: 'dnsdist and nginx',
    dnsPort: dnsdist.port,
    relayPort: nginx.port,
    startSeconds: (performance.now() - startedAt) / 1000,
    cpuSeconds: () => dnsdist.cpuSeconds() + nginx.server.cpuSeconds(),
    rssBytes: () => dnsdist.rssBytes() + nginx.server.rssBytes(),
    async stop() {
      await dnsdist.stop();
      await nginx.stop();
    },
  };
}

interface Figures {
  readonly cpu: number[];
  readonly rate: number[];
}

async function measure(load: RelayLoad, stack: Stack, { cpu, rate }: Figures): Promise<void> {
  const { dnsPort, relayPort: port } = stack;
  const visits = Number(values.visits);
  const order = {
    kind: 'visit',
    dnsPort,
    port,
    atOnce: AT_ONCE,
    bytes: Number(values.kilobytes) * 1000,
  } as const;
  await load.do({ ...order, visits: Math.ceil(visits / 10) });
  const before = stack.cpuSeconds();
  const seconds = await load.do({ ...order, visits });
  cpu.push(((stack.cpuSeconds() - before) / visits) * 1e6);
  rate.push(visits / seconds);
}

const directory = mkdtempSync(join(tmpdir(), 'bench-pair-'));
const upstream = await startUpstream();
const load = await RelayLoad.start(LOAD_PROCESSOR, ORIGIN_PORT);
const stacks: Stack[] = [];
const figures: Figures[] = [];
const memory: number[] = [];
try {
  stacks.push(await startOurs(directory, upstream.port), await startPair([...(await shippedNames()), NAME]));
  for (const _ of stacks) figures.push({ cpu: [], rate: [] });
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [i, stack] of stacks.entries()) await measure(load, stack, figures[i]!);
  }
  memory.push(...stacks.map((stack) => stack.rssBytes() / MIB));
} finally {
  for (const stack of stacks) await stack.stop();
  await load.stop();
  upstream.close();
  rmSync(directory, { recursive: true });
}

const ratios = figures[0]!.cpu.map((cpu, round) => cpu / figures[1]!.cpu[round]!);
table([
  ['loopback', 'us CPU/visit', 'visits/s', 'MiB resident', 's until they serve', 'CPU, ours/its'],
  ...stacks.map(({ label, startSeconds }, i) => [
    label,
    ...[medianAndRange(figures[i]!.cpu, 0), medianAndRange(figures[i]!.rate, 0)],
    ...[memory[i]!.toFixed(0), startSeconds.toFixed(1)],
    i === 0 ? '1' : medianAndRange(ratios),
  ]),
]);
const series: Series[] = stacks.flatMap(({ label, startSeconds }, i) => [
  { group: 'CPU a visit', label, unit: 'us', values: figures[i]!.cpu },
  { group: 'Visits a second', label, unit: '/s', values: figures[i]!.rate },
  { group: 'Memory, resident', label, unit: 'MiB', values: [memory[i]!] },
  { group: 'Until it serves', label, unit: 's', values: [startSeconds] },
]);
const versions = { dnsdist: PEERS['dnsdist-tuned']!.version() };
const options = {
  addresses: values.addresses,
  rounds: values.rounds,
  visits: values.visits,
  kilobytes: values.kilobytes,
};
process.stdout.write(`${writeResult(values.out, { bench: 'pair', options, versions, series })} (loopback)\n`);
const missed = [...(median(ratios) <= 1 ? [] : ['CPU']), ...(memory[0]! <= memory[1]! ? [] : ['memory'])];
if (missed.length > 0) {
  process.stdout.write(`missed against dnsdist and nginx: ${missed.join(', ')}\n`);
  process.exitCode = 1;
}
