/**
 * Steered answers over DNS over TLS, 100 connections with one query in flight each, on one processor: answers a second
 * beside Debian's dnsdist, which spoofs them.
 *
 *   node bench/dot.ts [--pairs 5] [--seconds 4]
 *
 * Loopback; dnsperf on the other processor; CPU by schedstat over all threads.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { freePort, startEdge } from './support/edge.ts';
import { median, medianAndRange, table } from './support/pairs.ts';
import { type Server, startUntil } from './support/process.ts';

const run = promisify(execFile);
const CONNECTIONS = '100';
const CLAIM = 0.9;
const { values } = parseArgs({
  options: { pairs: { type: 'string', default: '5' }, seconds: { type: 'string', default: '4' } },
});

const directory = mkdtempSync(join(tmpdir(), 'bench-dot-'));
const [cert, key, queries] = ['cert.pem', 'key.pem', 'queries'].map((name) => join(directory, name));
await run('openssl', [
  ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
  ...['-keyout', key!, '-out', cert!, '-subj', '/CN=bench', '-addext', 'subjectAltName=DNS:bench.example'],
]);
writeFileSync(queries!, 'netflix.com A\nwww.netflix.com A\napi.hulu.com A\nwww.bbc.co.uk A\n');

const edge = await startEdge({
  processor: 0,
  dns: ', tls: ["127.0.0.1:0"], tcpLimits: { connectionsPerSource: 1000, queriesPerConnection: 1000000 }',
  more: `tls: { certFile: ${JSON.stringify(cert)}, keyFile: ${JSON.stringify(key)} }`,
});

const port = await freePort();
const settings = join(directory, 'dnsdist.conf');
writeFileSync(
  settings,
  `addTLSLocal("127.0.0.1:${port}", "${cert}", "${key}")
setACL({"127.0.0.0/8"})
setSecurityPollSuffix("")
newServer("127.0.0.1:9")
addAction(AllRule(), SpoofAction({"192.0.2.10"}))
`,
);
const dnsdist = await startUntil(0, ['dnsdist', '--supervised', '-C', settings], () => connects(port));

async function connects(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

interface Measurement {
  rate: number;
  micros: number;
  lost: number;
}

async function measure(server: Server, port: number, seconds: string): Promise<Measurement> {
  const before = server.cpuSeconds();
  const { stdout } = await run('taskset', [
    ...['-c', '1', 'dnsperf', '-m', 'dot', '-s', '127.0.0.1', '-p', String(port), '-d', queries!],
    ...['-c', CONNECTIONS, '-q', CONNECTIONS, '-T', '1', '-l', seconds, '-O', 'suppress=timeout'],
  ]);
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1]);
  const answers = number(/Queries completed:\s+(\d+)/);
  return {
    rate: number(/Queries per second:\s+([\d.]+)/),
    micros: ((server.cpuSeconds() - before) * 1e6) / answers,
    lost: number(/Queries lost:\s+(\d+)/),
  };
}

const ours: Measurement[] = [];
const theirs: Measurement[] = [];
try {
  await measure(edge, edge.tls!, '1');
  await measure(dnsdist, port, '1');
  for (let i = 0; i < Number(values.pairs); i++) {
    ours.push(await measure(edge, edge.tls!, values.seconds));
    theirs.push(await measure(dnsdist, port, values.seconds));
  }
} finally {
  await Promise.all([edge.stop(), dnsdist.stop()]);
  rmSync(directory, { recursive: true });
}

const row = (name: string, seen: readonly Measurement[]): string[] => [
  name,
  String(Math.round(median(seen.map(({ rate }) => rate)))),
  medianAndRange(seen.map(({ micros }) => micros)),
  String(seen.reduce((sum, { lost }) => sum + lost, 0)),
];
table([['', 'answers/s', 'CPU us an answer', 'lost'], row('mediastreamer', ours), row('dnsdist', theirs)]);
const ratios = ours.map(({ rate }, i) => rate / theirs[i]!.rate);
process.stdout.write(
  `answers a second, times dnsdist: ${medianAndRange(ratios)}; claimed: ${CLAIM} (loopback)\n`,
);
if (median(ratios) < CLAIM) process.exitCode = 1;
