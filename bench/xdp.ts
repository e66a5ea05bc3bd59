/**
 * Steered answers by AF_XDP over a veth pair, with an allowlist of a million addresses: CPU an answer at least 10 % below
 * tuned dnsdist's, saturated and at 50,000 q/s; beside them the same edge by sockets, and the limit of sockets, which
 * is a program in C with a fixed answer.
 *
 * The servers are on processor 0; from processor 1 a network namespace asks them in turns: saturated by dnsperf, at the
 * fixed rate by `mediastreamer load`, whose loop is open. A program on an interface costs every packet there, so each
 * way of AF_XDP has a pair of its own, and the others share one without. It takes root. Exits 1 if the claim is missed
 * or a server lost more than 0.1 % at the fixed rate.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadServices, readServiceFiles } from '../src/catalog/index.ts';
import { parseAddress, readWord } from '../src/net/index.ts';
import { dnsperf } from './support/dnsperf.ts';
import { FIRST_ADDRESS } from './support/feed-source.ts';
import { startListedEdge } from './support/listed-edge.ts';
import { runLoadTool } from './support/load-tool.ts';
import { workSeconds } from './support/machine-time.ts';
import { benchOptions } from './support/options.ts';
import { median, medianAndRange, table } from './support/pairs.ts';
import { PEERS, type Peer, startPeer } from './support/peers.ts';
import { requirePrograms } from './support/programs.ts';
import { RESULTS_DIRECTORY, writeResult } from './support/results.ts';
import { makeVethNetwork, type VethNetwork, type VethPair } from './support/veth.ts';

const CLAIM = 0.9;
const MAX_LOSS_PERCENT = 0.1;
const SERVER_PROCESSOR = 0;
const CLIENT_PROCESSOR = 1;
const RELAY = '192.0.2.10';
const ASKED = ['netflix.com', 'www.netflix.com', 'api.hulu.com', 'www.bbc.co.uk', 'disneyplus.com'];
const TUNED = 'dnsdist-tuned';
const EDGES = { generic: 'edge, af-xdp generic', driver: 'edge, af-xdp driver', mmsg: 'edge, mmsg' } as const;
type EdgeKind = keyof typeof EDGES;
const KINDS = [...Object.keys(EDGES), TUNED, 'limit'];

const values = benchOptions(import.meta.url, {
  addresses: ['1000000', 'registered addresses'],
  pairs: ['5', 'rounds, each server once a round'],
  seconds: ['4', 'length of a round'],
  rate: ['50000', 'queries a second of the open loop'],
  servers: [KINDS.join(','), 'servers to run, by comma'],
  out: [RESULTS_DIRECTORY, 'directory of the raw results'],
});
const addresses = Number(values.addresses);
const kinds = values.servers.split(',').filter(Boolean);
const unknown = kinds.filter((kind) => !KINDS.includes(kind));
if (unknown.length > 0) {
  process.stderr.write(`no server ${unknown.join(', ')}; there are: ${KINDS.join(', ')}\n`);
  process.exit(2);
}
const peerKinds = kinds.filter((kind) => !(kind in EDGES));
requirePrograms([
  'taskset',
  'ip',
  'dnsperf',
  'redis-server',
  ...peerKinds.map((kind) => PEERS[kind]!.program),
]);

interface Contender {
  readonly label: string;
  readonly pair: VethPair;
  readonly server: Peer;
}

interface Round {
  readonly perSecond: number;
  /** Microseconds an answer: of the server's threads, and of the whole machine but for the generator's user mode. */
  readonly threads: number;
  readonly machine: number;
  readonly threadsPaced: number;
  readonly machinePaced: number;
  readonly p99Ms: number;
  readonly lossPercent: number;
}

const directory = mkdtempSync(join(tmpdir(), 'bench-xdp-'));
const network = makeVethNetwork(3);
const contenders: Contender[] = [];
const measured = new Map<string, Round[]>();
try {
  for (const kind of kinds) contenders.push(await startContender(kind, network));
  for (let round = 0; round < Number(values.pairs); round++) {
    for (const contender of contenders) {
      const list = measured.get(contender.label) ?? [];
      measured.set(contender.label, [...list, await measure(contender, network)]);
    }
  }
  show();
} finally {
  await Promise.all(contenders.map(({ server }) => server.stop()));
  network.remove();
  rmSync(directory, { recursive: true });
}

async function startContender(kind: string, { pairs }: VethNetwork): Promise<Contender> {
  const pair = pairs[kind === 'generic' ? 0 : kind === 'driver' ? 1 : 2]!;
  if (!(kind in EDGES)) {
    const allowed = Array.from({ length: addresses }, (_, i) => dotted(FIRST_ADDRESS + i));
    const server = await startPeer(PEERS[kind]!, SERVER_PROCESSOR, {
      names: await catalogNames(),
      relay: RELAY,
      ttlSeconds: 60,
      address: pair.server,
      allowed: [pair.client, pair.server, ...allowed],
    });
    return { label: PEERS[kind]!.label, pair, server };
  }
  const engine = kind === 'mmsg' ? 'mmsg' : `af-xdp, xdp: { interface: ${pair.name}, mode: ${kind} }`;
  const server = await startListedEdge({
    processor: SERVER_PROCESSOR,
    otherProcessor: CLIENT_PROCESSOR,
    addresses,
    relay: RELAY,
    address: pair.server,
    own: [readWord(parseAddress(pair.client)!.bytes, 0)],
    dns: `, engine: ${engine}`,
  });
  return { label: EDGES[kind as EdgeKind], pair, server };
}

async function catalogNames(): Promise<string[]> {
  const read = await readServiceFiles({
    patterns: ['services/*.yaml'],
    directory: join(import.meta.dirname, '../config'),
    configFile: 'default.yaml',
  });
  return [...new Set(loadServices(read.files).services.flatMap((service) => service.names))];
}

function dotted(word: number): string {
  return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255].join('.');
}

async function measure({ server, pair }: Contender, { wrapper }: VethNetwork): Promise<Round> {
  const load = {
    processor: CLIENT_PROCESSOR,
    port: server.port,
    server: pair.server,
    wrapper,
    queries: ASKED.map((name) => `${name} A`),
  };
  await dnsperf({ ...load, seconds: 1 });
  const saturated = await during(server, async () => {
    const { answers, answersPerSecond } = await dnsperf({ ...load, seconds: Number(values.seconds) });
    return { answers, answersPerSecond };
  });
  const paced = await during(server, async () => {
    const { registered } = await askAtRate(server.port, pair, wrapper);
    return { answers: registered!.answered + Number(values.rate), registered };
  });
  const { registered } = paced.result;
  return {
    perSecond: saturated.result.answersPerSecond,
    threads: saturated.threads,
    machine: saturated.machine,
    threadsPaced: paced.threads,
    machinePaced: paced.machine,
    p99Ms: registered!.latencyMs.p99!,
    lossPercent: registered!.lossPercent,
  };
}

/** With one second of warm-up, whose answers it does not count. */
function askAtRate(port: number, pair: VethPair, wrapper: readonly string[]) {
  const names = join(directory, 'names');
  const allow = join(directory, 'allow');
  writeFileSync(names, `${ASKED.join('\n')}\n`);
  writeFileSync(allow, `${pair.server}\n`);
  const options = ['--rate', values.rate, '--seconds', values.seconds, '--warm-up', '1', '--names', names];
  return runLoadTool(
    CLIENT_PROCESSOR,
    port,
    [...options, '--sources', `${pair.client}/32`, '--allow', allow],
    { address: pair.server, wrapper },
  );
}

/** Microseconds an answer while `work` runs. */
async function during<T extends { answers: number }>(
  server: Peer,
  work: () => Promise<T>,
): Promise<{ result: T; threads: number; machine: number }> {
  const [threadsBefore, machineBefore] = [server.cpuSeconds(), workSeconds(CLIENT_PROCESSOR)];
  const result = await work();
  const [threads, machine] = [
    server.cpuSeconds() - threadsBefore,
    workSeconds(CLIENT_PROCESSOR) - machineBefore,
  ];
  return { result, threads: (threads * 1e6) / result.answers, machine: (machine * 1e6) / result.answers };
}

function show(): void {
  const tuned = measured.get(PEERS[TUNED]!.label);
  const ratio = (list: readonly Round[], pick: (round: Round) => number): string =>
    tuned === undefined ? '-' : medianAndRange(list.map((round, i) => pick(round) / pick(tuned[i]!)));
  const column = (list: readonly Round[], pick: (round: Round) => number) => medianAndRange(list.map(pick));
  table([
    ['', 'answers/s', 'us threads', 'us machine', 'threads/dnsdist', 'machine/dnsdist'],
    ...[...measured].map(([label, list]) => [
      label,
      String(Math.round(median(list.map(({ perSecond }) => perSecond)))),
      column(list, ({ threads }) => threads),
      column(list, ({ machine }) => machine),
      ratio(list, ({ threads }) => threads),
      ratio(list, ({ machine }) => machine),
    ]),
  ]);
  process.stdout.write(`\nat ${values.rate} a second:\n`);
  table([
    ['', 'us threads', 'us machine', 'threads/dnsdist', 'machine/dnsdist', 'p99 ms', 'loss %'],
    ...[...measured].map(([label, list]) => [
      label,
      column(list, ({ threadsPaced }) => threadsPaced),
      column(list, ({ machinePaced }) => machinePaced),
      ratio(list, ({ threadsPaced }) => threadsPaced),
      ratio(list, ({ machinePaced }) => machinePaced),
      column(list, ({ p99Ms }) => p99Ms),
      column(list, ({ lossPercent }) => lossPercent),
    ]),
  ]);
  const series = (group: string, unit: string, pick: (round: Round) => number) =>
    [...measured].map(([label, list]) => ({ group, label, unit, values: list.map(pick) }));
  const file = writeResult(values.out, {
    bench: 'xdp',
    options: {
      addresses,
      pairs: Number(values.pairs),
      seconds: Number(values.seconds),
      rate: Number(values.rate),
    },
    versions: Object.fromEntries(peerKinds.map((kind) => [PEERS[kind]!.program, PEERS[kind]!.version()])),
    series: [
      ...series('CPU of threads an answer, saturated', 'us', ({ threads }) => threads),
      ...series('CPU of the machine an answer, saturated', 'us', ({ machine }) => machine),
      ...series(`CPU of threads an answer at ${values.rate} a second`, 'us', (round) => round.threadsPaced),
      ...series(
        `CPU of the machine an answer at ${values.rate} a second`,
        'us',
        (round) => round.machinePaced,
      ),
      ...series('Answers a second, saturated', '/s', ({ perSecond }) => perSecond),
      ...series(`p99 at ${values.rate} a second`, 'ms', ({ p99Ms }) => p99Ms),
      ...series(`Loss at ${values.rate} a second`, '%', ({ lossPercent }) => lossPercent),
    ],
  });
  process.stdout.write(`${file} (veth)\n`);
  if (tuned !== undefined) judge(tuned);
}

function judge(tuned: readonly Round[]): void {
  const missed: string[] = [];
  for (const kind of ['generic', 'driver'] as const) {
    const ours = measured.get(EDGES[kind]);
    if (ours === undefined) continue;
    const against = (pick: (round: Round) => number) =>
      median(ours.map((round, i) => pick(round) / pick(tuned[i]!)));
    if (against(({ threads }) => threads) > CLAIM) missed.push(`${kind}, saturated`);
    if (against(({ threadsPaced }) => threadsPaced) > CLAIM) missed.push(`${kind} at ${values.rate}/s`);
    if (ours.some(({ lossPercent }) => lossPercent > MAX_LOSS_PERCENT)) missed.push(`${kind}, loss`);
  }
  if (missed.length === 0) return;
  process.stdout.write(`missed against tuned dnsdist: ${missed.join('; ')}\n`);
  process.exitCode = 1;
}
