import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startEdge } from './edge.ts';
import { median, medianAndRange } from './pairs.ts';
import { type Server, startUntil } from './process.ts';
import { RESULTS_DIRECTORY, writeResult } from './results.ts';
import { accepts, makeCertificate } from './tls-server.ts';

/** Names that both servers steer. */
export const STEERED = ['netflix.com', 'www.netflix.com', 'api.hulu.com', 'www.bbc.co.uk'] as const;
export const CONNECTIONS = 100;

/** A DoT and DoH server on one processor. */
export interface EncryptedServer extends Server {
  readonly tls: number;
  readonly https: number;
}

export interface EncryptedPair {
  readonly directory: string;
  readonly ours: EncryptedServer;
  readonly theirs: EncryptedServer;
  stop(): Promise<void>;
}

/** Starts the edge, and Debian's dnsdist that spoofs the same names, on processor 0 with one certificate. */
export async function startEncryptedPair(): Promise<EncryptedPair> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-encrypted-'));
  const { cert, key } = makeCertificate(directory);
  const limits = 'tcpLimits: { connectionsPerSource: 2000, queriesPerConnection: 1000000 }';
  const edge = await startEdge({
    processor: 0,
    dns: `, tls: ["127.0.0.1:0"], https: ["127.0.0.1:0"], ${limits}`,
    more: `tls: { certFile: ${JSON.stringify(cert)}, keyFile: ${JSON.stringify(key)} }`,
  });
  const dnsdist = await startDnsdist(directory, cert, key);
  return {
    directory,
    ours: { ...edge, tls: edge.tls!, https: edge.https! },
    theirs: dnsdist,
    async stop() {
      await Promise.all([edge.stop(), dnsdist.stop()]);
      rmSync(directory, { recursive: true });
    },
  };
}

async function startDnsdist(directory: string, cert: string, key: string): Promise<EncryptedServer> {
  const tls = await freePort();
  let https = await freePort();
  while (https === tls) https = await freePort();
  const settings = join(directory, 'dnsdist.conf');
  writeFileSync(
    settings,
    `addTLSLocal("127.0.0.1:${tls}", "${cert}", "${key}")
addDOHLocal("127.0.0.1:${https}", "${cert}", "${key}", "/dns-query")
setACL({"127.0.0.0/8"})
setSecurityPollSuffix("")
newServer("127.0.0.1:9")
addAction(AllRule(), SpoofAction({"192.0.2.10"}))
`,
  );
  const listens = async () => (await accepts(tls)) && (await accepts(https));
  const server = await startUntil(0, ['dnsdist', '--supervised', '-C', settings], listens);
  return { ...server, tls, https };
}

/** Figures of one round. */
export interface Round {
  readonly answersPerSecond: number;
  readonly microseconds: number;
  readonly lost: number;
}

/** Measures a server's CPU under `load`, which returns its answers and losses. */
export async function measure(
  server: Server,
  load: () => Promise<{ answers: number; answersPerSecond: number; lost: number }>,
): Promise<Round> {
  const before = server.cpuSeconds();
  const { answers, answersPerSecond, lost } = await load();
  return { answersPerSecond, microseconds: ((server.cpuSeconds() - before) * 1e6) / answers, lost };
}

/** Applies one load to a server for some seconds. */
export type Load = (server: EncryptedServer, seconds: string) => Promise<Round>;

/** Rounds of both servers in turns, after a second of warm-up each; prints the ratio of their CPU. */
export async function comparePair(
  pair: EncryptedPair,
  transport: string,
  load: Load,
  options: { readonly pairs: string; readonly seconds: string },
): Promise<{ ours: Round[]; theirs: Round[] }> {
  const [ours, theirs]: [Round[], Round[]] = [[], []];
  await load(pair.ours, '1');
  await load(pair.theirs, '1');
  for (let i = 0; i < Number(options.pairs); i++) {
    ours.push(await load(pair.ours, options.seconds));
    theirs.push(await load(pair.theirs, options.seconds));
  }
  const costs = ratios(ours, theirs, 'microseconds');
  process.stdout.write(`${transport}: CPU an answer, times dnsdist: ${medianAndRange(costs)}\n`);
  return { ours, theirs };
}

/** Table row of a server: rate, cost, losses. */
export const row = (name: string, rounds: readonly Round[]): string[] => [
  name,
  String(Math.round(median(rounds.map(({ answersPerSecond }) => answersPerSecond)))),
  medianAndRange(rounds.map(({ microseconds }) => microseconds)),
  String(rounds.reduce((sum, { lost }) => sum + lost, 0)),
];
export const HEADINGS = ['', 'answers/s', 'CPU us an answer', 'lost'] as const;

/** Ratios of one figure, pair by pair. */
export const ratios = (
  ours: readonly Round[],
  theirs: readonly Round[],
  figure: 'answersPerSecond' | 'microseconds',
): number[] => ours.map((round, i) => round[figure] / theirs[i]![figure]);

/** Writes the rounds of all servers as the bench's result. @param rounds by `server, transport` */
export function saveRounds(
  bench: string,
  options: Readonly<Record<string, string>>,
  rounds: Readonly<Record<string, readonly Round[]>>,
): void {
  const series = Object.entries(rounds).flatMap(([name, of]) => {
    const [label, group] = name.split(', ') as [string, string];
    return [
      {
        group: `${group}, CPU an answer`,
        label,
        unit: 'us',
        values: of.map(({ microseconds }) => microseconds),
      },
      {
        group: `${group}, answers`,
        label,
        unit: '1/s',
        values: of.map(({ answersPerSecond }) => answersPerSecond),
      },
    ];
  });
  writeResult(RESULTS_DIRECTORY, { bench, options, series });
}
