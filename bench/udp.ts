/**
 * Steered answers over UDP, the full path (gate, catalog, answer) of the whole service on one processor:
 * at least 2.5 times the answers a CPU-second of a node:dgram server with a fixed reply.
 *
 * Loopback; dnsperf on the other processor; A B A B in one run, CPU by schedstat over all threads. Exits 1 if
 * the claim is missed or an answer was lost.
 */
import { join } from 'node:path';
import { dnsperf } from './support/dnsperf.ts';
import { freePort, startEdge } from './support/edge.ts';
import { benchOptions } from './support/options.ts';
import { median, medianAndRange, table } from './support/pairs.ts';
import { type Server, startServer } from './support/process.ts';
import { RESULTS_DIRECTORY, writeResult } from './support/results.ts';

const CLAIM = 2.5;
const SERVER_PROCESSOR = 0;
const CLIENT_PROCESSOR = 1;
const WARM_UP_SECONDS = 1;
const QUERIES = [
  'netflix.com A',
  'www.netflix.com A',
  'api.hulu.com A',
  'www.bbc.co.uk A',
  'disneyplus.com AAAA',
];

interface Measurement {
  answersPerCpuSecond: number;
  answersPerSecond: number;
  lost: number;
}

async function measure(server: Server, port: number, seconds: number): Promise<Measurement> {
  const load = { processor: CLIENT_PROCESSOR, port, queries: QUERIES };
  await dnsperf({ ...load, seconds: WARM_UP_SECONDS });
  const before = server.cpuSeconds();
  const { answers, answersPerSecond, lost } = await dnsperf({ ...load, seconds });
  return { answersPerCpuSecond: answers / (server.cpuSeconds() - before), answersPerSecond, lost };
}

const values = benchOptions(import.meta.url, {
  pairs: ['5', 'rounds, each server once a round'],
  seconds: ['4', 'length of a round'],
  out: [RESULTS_DIRECTORY, 'directory of the raw results'],
});
const seconds = Number(values.seconds);
const edge = await startEdge({ processor: SERVER_PROCESSOR });
const port = await freePort();
const baseline = await startServer(
  SERVER_PROCESSOR,
  [process.execPath, join(import.meta.dirname, 'support/dgram-server.ts'), String(port)],
  (line) => line === 'ready',
);

const ours: Measurement[] = [];
const theirs: Measurement[] = [];
for (let pair = 0; pair < Number(values.pairs); pair++) {
  ours.push(await measure(edge, edge.port, seconds));
  theirs.push(await measure(baseline, port, seconds));
}
await Promise.all([edge.stop(), baseline.stop()]);

const row = (name: string, list: readonly Measurement[]): string[] => [
  name,
  String(Math.round(median(list.map(({ answersPerSecond }) => answersPerSecond)))),
  medianAndRange(list.map(({ answersPerCpuSecond }) => 1e6 / answersPerCpuSecond)),
  String(list.reduce((sum, { lost }) => sum + lost, 0)),
];
table([
  ['', 'answers/s', 'CPU us an answer', 'lost'],
  row('mediastreamer, full path', ours),
  row('node:dgram, fixed reply', theirs),
]);
const ratios = ours.map((one, i) => one.answersPerCpuSecond / theirs[i]!.answersPerCpuSecond);
process.stdout.write(
  `answers a CPU-second, times node:dgram: ${medianAndRange(ratios)}; claimed: ${CLAIM} (loopback)\n`,
);
const cpu = (label: string, list: readonly Measurement[]) => ({
  group: 'CPU an answer, full path beside a fixed reply',
  label,
  unit: 'us',
  values: list.map(({ answersPerCpuSecond }) => 1e6 / answersPerCpuSecond),
});
writeResult(values.out, {
  bench: 'udp',
  options: { pairs: ours.length, seconds },
  series: [cpu('mediastreamer, full path', ours), cpu('node:dgram, fixed reply', theirs)],
});
if (median(ratios) < CLAIM) process.exitCode = 1;
