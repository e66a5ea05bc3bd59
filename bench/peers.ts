/**
 * Steered answers with an allowlist of a million addresses: CPU an answer at least 10 % below tuned dnsdist's,
 * saturated and at 50,000 q/s, and p99 at 50,000 q/s no worse; beside them dnsdist as it comes, unbound, gdnsd, and
 * the limit of sockets, which is a program in C with a fixed answer.
 *
 * All have the same names and the same list (gdnsd and the C program have none) on processor 0, and are asked in turns from processor 1:
 * saturated by dnsperf, at the fixed rate by `mediastreamer load`, whose loop is open. Loopback. Exits 1 if the claim
 * is missed or a server lost more than 0.1 % at the fixed rate.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadServices, readServiceFiles } from '../src/catalog/index.ts';
import { dnsperf } from './support/dnsperf.ts';
import { FIRST_ADDRESS } from './support/feed-source.ts';
import { startListedEdge } from './support/listed-edge.ts';
import { runLoadTool } from './support/load-tool.ts';
import { benchOptions } from './support/options.ts';
import { median, medianAndRange, table } from './support/pairs.ts';
import { PEERS, type Peer, type PeerJob, startPeer } from './support/peers.ts';
import { requirePrograms } from './support/programs.ts';
import { RESULTS_DIRECTORY, type Series, writeResult } from './support/results.ts';

const CLAIM = 0.9;
const MAX_LOSS_PERCENT = 0.1;
const SERVER_PROCESSOR = 0;
const CLIENT_PROCESSOR = 1;
const RELAY = '192.0.2.10';
const TTL_SECONDS = 60;
const ASKED = ['netflix.com', 'www.netflix.com', 'api.hulu.com', 'www.bbc.co.uk', 'disneyplus.com'];
const OURS = 'mediastreamer';

const values = benchOptions(import.meta.url, {
  addresses: ['1000000', 'registered addresses'],
  pairs: ['5', 'rounds, each server once a round'],
  seconds: ['4', 'length of a round'],
  rate: ['50000', 'queries a second of the open loop'],
  peers: [Object.keys(PEERS).join(','), 'peers beside the edge, by comma'],
  out: [RESULTS_DIRECTORY, 'directory of the raw results'],
});
const [addresses, rounds, seconds] = [values.addresses, values.pairs, values.seconds].map(Number) as [
  number,
  number,
  number,
];
const kinds = values.peers.split(',').filter(Boolean);
const unknown = kinds.filter((kind) => !(kind in PEERS));
if (unknown.length > 0) {
  process.stderr.write(`no peer ${unknown.join(', ')}; there are: ${Object.keys(PEERS).join(', ')}\n`);
  process.exit(2);
}
requirePrograms([
  'taskset',
  'dnsperf',
  'redis-server',
  ...new Set(kinds.map((kind) => PEERS[kind]!.program)),
]);

interface Round {
  readonly cpuSaturated: number;
  readonly perSecond: number;
  readonly cpuPaced: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly lossPercent: number;
}

async function job(): Promise<PeerJob> {
  const directory = join(import.meta.dirname, '../config');
  const read = await readServiceFiles({
    patterns: ['services/*.yaml'],
    directory,
    configFile: 'default.yaml',
  });
  const { services } = loadServices(read.files);
  const names = [...new Set(services.flatMap((service) => service.names))];
  const allowed = Array.from({ length: addresses }, (_, i) => {
    const word = FIRST_ADDRESS + i;
    return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255].join('.');
  });
  return { names, relay: RELAY, ttlSeconds: TTL_SECONDS, allowed: ['127.0.0.1', ...allowed] };
}

async function measure(server: Peer): Promise<Round> {
  const load = { processor: CLIENT_PROCESSOR, port: server.port, queries: ASKED.map((name) => `${name} A`) };
  await dnsperf({ ...load, seconds: 1 });
  const before = server.cpuSeconds();
  const { answers, answersPerSecond } = await dnsperf({ ...load, seconds });
  const cpuSaturated = ((server.cpuSeconds() - before) * 1e6) / answers;
  await runLoadTool(CLIENT_PROCESSOR, server.port, [
    '--rate',
    values.rate,
    '--seconds',
    '1',
    '--names',
    namesFile,
  ]);
  const pacedBefore = server.cpuSeconds();
  const options = [
    '--rate',
    values.rate,
    '--seconds',
    values.seconds,
    '--warm-up',
    '0',
    '--names',
    namesFile,
  ];
  const { registered } = await runLoadTool(CLIENT_PROCESSOR, server.port, options);
  const { p50, p99, p999 } = registered!.latencyMs;
  return {
    cpuSaturated,
    perSecond: answersPerSecond,
    cpuPaced: ((server.cpuSeconds() - pacedBefore) * 1e6) / registered!.answered,
    p50Ms: p50!,
    p99Ms: p99!,
    p999Ms: p999!,
    lossPercent: registered!.lossPercent,
  };
}

const directory = mkdtempSync(join(tmpdir(), 'bench-peers-'));
const namesFile = join(directory, 'names');
writeFileSync(namesFile, `${ASKED.join('\n')}\n`);
const servers: Peer[] = [];
const measured = new Map<string, Round[]>();
try {
  const work = await job();
  const edge = { processor: SERVER_PROCESSOR, otherProcessor: CLIENT_PROCESSOR, addresses, relay: RELAY };
  servers.push(await startListedEdge(edge));
  for (const kind of kinds) servers.push(await startPeer(PEERS[kind]!, SERVER_PROCESSOR, work));
  const labels = [OURS, ...kinds.map((kind) => PEERS[kind]!.label)];
  for (let round = 0; round < rounds; round++) {
    for (const [i, server] of servers.entries()) {
      const list = measured.get(labels[i]!) ?? [];
      measured.set(labels[i]!, [...list, await measure(server)]);
    }
  }
  show();
} finally {
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(directory, { recursive: true });
}

function show(): void {
  const ours = measured.get(OURS)!;
  const row = (label: string, list: readonly Round[]): string[] => [
    label,
    String(Math.round(median(list.map(({ perSecond }) => perSecond)))),
    medianAndRange(list.map(({ cpuSaturated }) => cpuSaturated)),
    medianAndRange(list.map(({ cpuPaced }) => cpuPaced)),
    medianAndRange(list.map(({ p99Ms }) => p99Ms)),
    medianAndRange(list.map(({ lossPercent }) => lossPercent)),
    medianAndRange(list.map(({ cpuSaturated }, i) => ours[i]!.cpuSaturated / cpuSaturated)),
    medianAndRange(list.map(({ cpuPaced }, i) => ours[i]!.cpuPaced / cpuPaced)),
  ];
  table([
    [
      '',
      'answers/s',
      'us CPU',
      `us CPU at ${values.rate}/s`,
      'p99 ms',
      'loss %',
      'ours/its',
      'ours/its, paced',
    ],
    ...[...measured].map(([label, list]) => row(label, list)),
  ]);
  const series = (group: string, unit: string, pick: (round: Round) => number): Series[] =>
    [...measured].map(([label, list]) => ({ group, label, unit, values: list.map(pick) }));
  const file = writeResult(values.out, {
    bench: 'peers',
    options: { addresses, pairs: rounds, seconds, rate: Number(values.rate) },
    versions: Object.fromEntries(kinds.map((kind) => [PEERS[kind]!.program, PEERS[kind]!.version()])),
    series: [
      ...series('CPU an answer, saturated', 'us', ({ cpuSaturated }) => cpuSaturated),
      ...series(`CPU an answer at ${values.rate} a second`, 'us', ({ cpuPaced }) => cpuPaced),
      ...series('Answers a second, saturated', '/s', ({ perSecond }) => perSecond),
      ...series(`p50 at ${values.rate} a second`, 'ms', ({ p50Ms }) => p50Ms),
      ...series(`p99 at ${values.rate} a second`, 'ms', ({ p99Ms }) => p99Ms),
      ...series(`p99.9 at ${values.rate} a second`, 'ms', ({ p999Ms }) => p999Ms),
      ...series(`Loss at ${values.rate} a second`, '%', ({ lossPercent }) => lossPercent),
    ],
  });
  process.stdout.write(`${file} (loopback)\n`);
  judge(ours, measured.get(PEERS['dnsdist-tuned']!.label));
}

function judge(ours: readonly Round[], tuned: readonly Round[] | undefined): void {
  const lost = [...measured.values()].some((list) =>
    list.some((round) => round.lossPercent > MAX_LOSS_PERCENT),
  );
  if (lost) process.stdout.write(`a server lost more than ${MAX_LOSS_PERCENT} % at ${values.rate}/s\n`);
  const ratio = (pick: (round: Round) => number): number =>
    tuned === undefined ? 0 : median(ours.map((round, i) => pick(round) / pick(tuned[i]!)));
  const missed = [
    ratio(({ cpuSaturated }) => cpuSaturated) > CLAIM && 'CPU, saturated',
    ratio(({ cpuPaced }) => cpuPaced) > CLAIM && `CPU at ${values.rate}/s`,
    ratio(({ p99Ms }) => p99Ms) > 1 && 'p99',
  ].filter((what) => what !== false);
  if (missed.length > 0) process.stdout.write(`missed against tuned dnsdist: ${missed.join('; ')}\n`);
  if (lost || missed.length > 0) process.exitCode = 1;
}
