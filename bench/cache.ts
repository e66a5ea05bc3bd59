/**
 * Answers of the cache over UDP, with an allowlist of a million addresses: CPU an answer no more than that of dnsdist with
 * batches, packet cache and the same list; and at most 250 bytes of overhead for each of a million answers held.
 *
 * Servers on processor 0 before the same upstream, asked in turns from processor 1: saturated by dnsperf, at the fixed rate by
 * `mediastreamer load`. The overhead is the memory that the cache grew by, less the bytes of the answers' names and records.
 * Loopback. Exits 1 if a claim is missed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dnsperf } from './support/dnsperf.ts';
import { FIRST_ADDRESS } from './support/feed-source.ts';
import { fillCache } from './support/filled-cache.ts';
import { forwarders, startDelayedUpstream } from './support/forwarders.ts';
import { startListedEdge } from './support/listed-edge.ts';
import { runLoadTool } from './support/load-tool.ts';
import { benchOptions } from './support/options.ts';
import { median, medianAndRange, table } from './support/pairs.ts';
import { type Peer, type PeerJob, startPeer } from './support/peers.ts';
import { requirePrograms } from './support/programs.ts';
import { RESULTS_DIRECTORY, type Series, writeResult } from './support/results.ts';

const CLAIM_RATIO = 1;
const CLAIM_OVERHEAD_BYTES = 250;
/** Slack of a bounded cache: partly filled pages, and the process around it. */
const BOUND_SLACK_BYTES = 4 << 20;
const BOUND_BYTES = 64 << 20;
/** For each answer in a cache that is to hold them all. */
const ROOM_BYTES = 160;
const SERVER_PROCESSOR = 0;
const CLIENT_PROCESSOR = 1;
const OURS = 'mediastreamer';

const values = benchOptions(import.meta.url, {
  addresses: ['1000000', 'registered addresses'],
  names: ['1000', 'names asked for'],
  pairs: ['5', 'rounds, each server once a round'],
  seconds: ['4', 'length of a round'],
  rate: ['50000', 'queries a second of the open loop'],
  answers: ['1000000', 'answers held for the overhead'],
  out: [RESULTS_DIRECTORY, 'directory of the raw results'],
});
const [addresses, pairs, seconds, answers] = [
  values.addresses,
  values.pairs,
  values.seconds,
  values.answers,
].map(Number) as [number, number, number, number];
const names = Array.from({ length: Number(values.names) }, (_, i) => `hit-${i}.cached.example`);
if (pairs > 0) requirePrograms(['taskset', 'cc', 'dnsperf', 'redis-server', 'dnsdist']);

interface Round {
  readonly cpuSaturated: number;
  readonly perSecond: number;
  readonly cpuPaced: number;
  readonly p99Ms: number;
  readonly lossPercent: number;
}

async function measure(server: Peer, namesFile: string): Promise<Round> {
  const load = {
    processor: CLIENT_PROCESSOR,
    port: server.port,
    queries: names.map((name) => `${name} A`),
  };
  await dnsperf({ ...load, seconds: 1 });
  const before = server.cpuSeconds();
  const saturated = await dnsperf({ ...load, seconds });
  const cpuSaturated = ((server.cpuSeconds() - before) * 1e6) / saturated.answers;
  const mix = ['--mix', 'hit=100', '--hits', namesFile, '--rate', values.rate];
  await runLoadTool(CLIENT_PROCESSOR, server.port, [...mix, '--seconds', '1', '--warm-up', '0']);
  const pacedBefore = server.cpuSeconds();
  const { registered } = await runLoadTool(CLIENT_PROCESSOR, server.port, [
    ...mix,
    ...['--seconds', values.seconds, '--warm-up', '0'],
  ]);
  return {
    cpuSaturated,
    perSecond: saturated.answersPerSecond,
    cpuPaced: ((server.cpuSeconds() - pacedBefore) * 1e6) / registered!.answered,
    p99Ms: registered!.latencyMs.p99!,
    lossPercent: registered!.lossPercent,
  };
}

async function measureServers(): Promise<Map<string, Round[]>> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-cache-'));
  const namesFile = join(directory, 'names');
  writeFileSync(namesFile, `${names.join('\n')}\n`);
  const allowed = Array.from({ length: addresses }, (_, i) => {
    const word = FIRST_ADDRESS + i;
    return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255].join('.');
  });
  const job: PeerJob = {
    names: [names[0]!],
    relay: '192.0.2.10',
    ttlSeconds: 60,
    allowed: ['127.0.0.1', ...allowed],
  };
  const upstream = await startDelayedUpstream(CLIENT_PROCESSOR, 0);
  const servers: Peer[] = [upstream];
  const measured = new Map<string, Round[]>();
  try {
    const dnsdist = forwarders(upstream.port)['dnsdist']!;
    const edge = await startListedEdge({
      processor: SERVER_PROCESSOR,
      otherProcessor: CLIENT_PROCESSOR,
      addresses,
      relay: job.relay,
      upstream: `udp://127.0.0.1:${upstream.port}`,
    });
    servers.push(edge);
    const peer = await startPeer(dnsdist, SERVER_PROCESSOR, job);
    servers.push(peer);
    for (let round = 0; round < pairs; round++) {
      for (const [label, server] of [[OURS, edge] as const, [dnsdist.label, peer] as const]) {
        measured.set(label, [...(measured.get(label) ?? []), await measure(server, namesFile)]);
      }
    }
    return measured;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(directory, { recursive: true });
  }
}

const missed: string[] = [];
const series: Series[] = [];

if (pairs > 0) {
  const measured = await measureServers();
  const of = (list: readonly Round[], pick: (round: Round) => number): string =>
    medianAndRange(list.map(pick));
  table([
    ['', 'answers/s', 'us CPU', `us CPU at ${values.rate}/s`, 'p99 ms', 'loss %'],
    ...[...measured].map(([label, list]) => [
      label,
      String(Math.round(median(list.map(({ perSecond }) => perSecond)))),
      of(list, ({ cpuSaturated }) => cpuSaturated),
      of(list, ({ cpuPaced }) => cpuPaced),
      of(list, ({ p99Ms }) => p99Ms),
      of(list, ({ lossPercent }) => lossPercent),
    ]),
  ]);
  const [ours, theirs] = [...measured.values()] as [Round[], Round[]];
  for (const [what, pick] of [
    ['saturated', ({ cpuSaturated }: Round) => cpuSaturated],
    [`at ${values.rate}/s`, ({ cpuPaced }: Round) => cpuPaced],
  ] as const) {
    const ratios = ours.map((round, i) => pick(round) / pick(theirs[i]!));
    process.stdout.write(
      `CPU an answer, times dnsdist's, ${what}: ${medianAndRange(ratios)}; claimed: ${CLAIM_RATIO} (loopback)\n`,
    );
    if (median(ratios) > CLAIM_RATIO) missed.push(`CPU ${what}`);
    for (const [label, list] of measured) {
      series.push({ group: `CPU a cached answer, ${what}`, label, unit: 'us', values: list.map(pick) });
    }
  }
}

const filled = fillCache(answers, answers * ROOM_BYTES);
process.stdout.write(
  `${filled.entries} answers held: ${filled.bytesEach.toFixed(0)} bytes each, ${filled.overheadEach.toFixed(0)} of them overhead; ` +
    `claimed: ${CLAIM_OVERHEAD_BYTES}\n`,
);
if (filled.entries < answers * 0.99) missed.push('answers held');
if (filled.overheadEach > CLAIM_OVERHEAD_BYTES) missed.push('overhead');
const bounded = fillCache(answers, BOUND_BYTES);
process.stdout.write(
  `the same into ${BOUND_BYTES >> 20} MiB: ${bounded.entries} held, ${(bounded.grownBytes / 2 ** 20).toFixed(1)} MiB grown\n`,
);
if (bounded.grownBytes > BOUND_BYTES + BOUND_SLACK_BYTES) missed.push('the bound');
series.push({
  group: 'Overhead of a cached answer',
  label: OURS,
  unit: 'bytes',
  values: [filled.overheadEach],
});
const file = writeResult(values.out, {
  bench: 'cache',
  options: { addresses, names: names.length, pairs, seconds, rate: Number(values.rate), answers },
  series,
});
process.stdout.write(`${file}\n`);
if (missed.length > 0) {
  process.stdout.write(`missed: ${missed.join('; ')}\n`);
  process.exitCode = 1;
}
