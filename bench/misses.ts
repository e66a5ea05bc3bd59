/**
 * Names that nobody has asked for, from an upstream that takes 10 ms: 20,000 a second with p99 under 15 ms and memory that
 * stays within bounds; beside Unbound and dnsdist before the same upstream.
 *
 * Servers on processor 0, asked in turns; the upstream (support/upstream.c) and the open loop of `mediastreamer load`
 * share processor 1, so that some of the latency is theirs: the row "upstream itself" is what they have between them.
 * Over TLS it also leaves out what HAProxy takes, which ends TLS before the upstream. Loopback. Exits 1 if the edge missed the claim at the last rate.
 */
import { startEdge } from './support/edge.ts';
import { forwarders, startDelayedUpstream, startTlsFront } from './support/forwarders.ts';
import { runLoadTool } from './support/load-tool.ts';
import { benchOptions } from './support/options.ts';
import { median, medianAndRange, table } from './support/pairs.ts';
import { type Peer, type PeerJob, startPeer } from './support/peers.ts';
import { requirePrograms } from './support/programs.ts';
import { RESULTS_DIRECTORY, type Series, writeResult } from './support/results.ts';
import { SERVER_NAME } from './support/tls-server.ts';

const CLAIM_P99_MS = 15;
const MAX_LOSS_PERCENT = 0.1;
/** The cache's 64 MiB, and a process of Node whose heap has grown to where it is collected as a whole. */
const MAX_RSS_MB = 400;
const CLIENT_PROCESSOR = 1;
const JOB: PeerJob = { names: ['ready.example'], relay: '192.0.2.10', ttlSeconds: 60, allowed: [] };

const values = benchOptions(import.meta.url, {
  rates: ['5000,20000', 'queries a second, by comma'],
  rounds: ['3', 'rounds, each server once a round'],
  seconds: ['5', 'length of a round'],
  delay: ['10', 'ms that the upstream takes'],
  transport: ['udp', 'how it is asked: udp, or tls by way of HAProxy'],
  peers: ['unbound,dnsdist', 'peers beside the edge, by comma'],
  processors: ['0', "the servers' processors"],
  'node-options': ['', 'options of Node for the edge'],
  out: [RESULTS_DIRECTORY, 'directory of the raw results'],
});
const rates = values.rates.split(',').map(Number);
const peers = values.peers.split(',').filter(Boolean);
const isEncrypted = values.transport === 'tls';
requirePrograms(['taskset', 'cc', ...peers, ...(isEncrypted ? ['haproxy', 'openssl'] : [])]);

interface Round {
  readonly cpuMicros: number;
  readonly answersPerSecond: number;
  readonly lossPercent: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly rssMb: number;
}

async function measure(server: Peer, rate: number): Promise<Round> {
  const load = (seconds: string): ReturnType<typeof runLoadTool> =>
    runLoadTool(CLIENT_PROCESSOR, server.port, [
      ...['--rate', String(rate), '--seconds', seconds, '--warm-up', '0', '--mix', 'miss=100'],
    ]);
  await load('1');
  const before = server.cpuSeconds();
  const { registered, answersPerSecond } = await load(values.seconds);
  const { answered, latencyMs, lossPercent, rcodes } = registered!;
  return {
    cpuMicros: ((server.cpuSeconds() - before) * 1e6) / answered,
    answersPerSecond,
    lossPercent,
    failed: answered - (rcodes['NOERROR'] ?? 0),
    p50Ms: latencyMs.p50!,
    p99Ms: latencyMs.p99!,
    rssMb: server.rssBytes() / 1e6,
  };
}

const rounds = new Map<string, Round[]>();
const upstream = await startDelayedUpstream(CLIENT_PROCESSOR, Number(values.delay));
const front = isEncrypted ? await startTlsFront(CLIENT_PROCESSOR, upstream.port) : null;
const kinds = forwarders(front?.port ?? upstream.port, front?.certFile);
const servers = new Map<string, Peer>([['upstream itself', upstream]]);
try {
  const url =
    front === null ? `udp://127.0.0.1:${upstream.port}` : `tls://127.0.0.1:${front.port}#${SERVER_NAME}`;
  const nodeOptions = values['node-options'].split(' ').filter(Boolean);
  const caFile = front === null ? {} : { caFile: front.certFile };
  servers.set(
    'mediastreamer',
    await startEdge({ processor: Number(values.processors), upstream: url, nodeOptions, ...caFile }),
  );
  for (const name of peers) servers.set(kinds[name]!.label, await startPeer(kinds[name]!, 0, JOB));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const rate of rates) {
      for (const [label, server] of servers) {
        const key = `${label}, ${rate}/s`;
        rounds.set(key, [...(rounds.get(key) ?? []), await measure(server, rate)]);
      }
    }
  }
  show();
} finally {
  await Promise.all([...servers.values(), ...(front === null ? [] : [front])].map((server) => server.stop()));
}

function show(): void {
  const of = (list: readonly Round[], pick: (round: Round) => number, digits = 1): string =>
    medianAndRange(list.map(pick), digits);
  table([
    ['', 'answers/s', 'us CPU an answer', 'p50 ms', 'p99 ms', 'loss %', 'failed', 'RSS MB'],
    ...[...rounds].map(([label, list]) => [
      label,
      of(list, ({ answersPerSecond }) => answersPerSecond, 0),
      of(list, ({ cpuMicros }) => cpuMicros),
      of(list, ({ p50Ms }) => p50Ms),
      of(list, ({ p99Ms }) => p99Ms),
      of(list, ({ lossPercent }) => lossPercent, 2),
      of(list, ({ failed }) => failed, 0),
      of(list, ({ rssMb }) => rssMb, 0),
    ]),
  ]);
  const series = (group: string, unit: string, pick: (round: Round) => number): Series[] =>
    [...rounds].map(([label, list]) => ({ group, label, unit, values: list.map(pick) }));
  const file = writeResult(values.out, {
    bench: 'misses',
    options: {
      rates: values.rates,
      transport: values.transport,
      seconds: Number(values.seconds),
      delayMs: Number(values.delay),
    },
    versions: Object.fromEntries(peers.map((name) => [name, kinds[name]!.version()])),
    series: [
      ...series('CPU a miss', 'us', ({ cpuMicros }) => cpuMicros),
      ...series('p99 of misses', 'ms', ({ p99Ms }) => p99Ms),
      ...series('Resident memory', 'MB', ({ rssMb }) => rssMb),
    ],
  });
  process.stdout.write(`${file} (loopback)\n`);
  judge(rounds.get(`mediastreamer, ${rates.at(-1)}/s`)!);
}

function judge(ours: readonly Round[]): void {
  const p99Ms = median(ours.map((round) => round.p99Ms));
  const lossPercent = median(ours.map((round) => round.lossPercent));
  const rssMb = Math.max(...ours.map((round) => round.rssMb));
  const missed = [
    p99Ms >= CLAIM_P99_MS && `p99 ${p99Ms.toFixed(1)} ms, claimed: ${CLAIM_P99_MS}`,
    lossPercent > MAX_LOSS_PERCENT && `loss ${lossPercent.toFixed(2)} %, claimed: ${MAX_LOSS_PERCENT}`,
    rssMb > MAX_RSS_MB && `RSS ${rssMb.toFixed(0)} MB, claimed: ${MAX_RSS_MB}`,
  ].filter((what) => what !== false);
  if (missed.length === 0) return;
  process.stdout.write(`missed at ${rates.at(-1)}/s: ${missed.join('; ')}\n`);
  process.exitCode = 1;
}
