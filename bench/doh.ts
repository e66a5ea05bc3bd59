/**
 * Steered answers over DNS over HTTPS, 100 connections with one request in flight each, on one processor: answers a second
 * over HTTP/2 and HTTP/1.1, beside Debian's dnsdist, which spoofs them.
 *
 *   node bench/doh.ts [--pairs 5] [--seconds 3] [--idle 1000]
 *
 * Loopback; h2load (HTTP/2) and autocannon (HTTP/1.1) on the other processor; CPU by schedstat over all threads. At the
 * end the resident memory that each idle connection over HTTP/2 adds.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import * as dnsPacket from 'dns-packet';
import {
  CONNECTIONS,
  type EncryptedServer,
  HEADINGS,
  measure,
  type Round,
  ratios,
  row,
  STEERED,
  saveRounds,
  startEncryptedPair,
} from './support/encrypted.ts';
import { median, medianAndRange, table } from './support/pairs.ts';
import { requirePrograms } from './support/programs.ts';

const run = promisify(execFile);
const CLAIM_PER_SECOND = 20_000;
const AUTOCANNON = join(import.meta.dirname, '../node_modules/autocannon/autocannon.js');
const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    idle: { type: 'string', default: '1000' },
  },
});
requirePrograms(['dnsdist', 'h2load', 'openssl', 'taskset']);

const PATHS = STEERED.map((name) => {
  const flags = dnsPacket.RECURSION_DESIRED;
  const message = dnsPacket.encode({ type: 'query', id: 0, flags, questions: [{ name, type: 'A' }] });
  return `/dns-query?dns=${message.toString('base64url')}`;
});
const url = (server: EncryptedServer, path: string): string => `https://127.0.0.1:${server.https}${path}`;

type Load = (server: EncryptedServer, seconds: string) => Promise<Round>;

const http2: Load = (server, seconds) =>
  measure(server, async () => {
    const urls = join(pair.directory, 'urls');
    writeFileSync(urls, PATHS.map((path) => `${url(server, path)}\n`).join(''));
    const { stdout } = await run('taskset', [
      ...['-c', '1', 'h2load', '-c', String(CONNECTIONS), '-m', '1', '-D', seconds, '-i', urls],
    ]);
    const [, rate] = /([\d.]+) req\/s/.exec(stdout)!;
    const [, failed] = /(\d+) failed/.exec(stdout)!;
    const [, good] = /status codes: (\d+) 2xx/.exec(stdout)!;
    return { answers: Number(good), answersPerSecond: Number(rate), lost: Number(failed) };
  });

/** autocannon takes one path a run from its command line; the answers differ in nothing that costs. */
const http1: Load = (server, seconds) =>
  measure(server, async () => {
    const { stdout } = await run('taskset', [
      ...['-c', '1', process.execPath, AUTOCANNON, '--json', '-c', String(CONNECTIONS), '-d', seconds],
      url(server, PATHS[0]!),
    ]);
    const told = JSON.parse(stdout) as Record<string, number> & { requests: { total: number } };
    const answers = told['2xx']!;
    return {
      answers,
      answersPerSecond: answers / told['duration']!,
      lost: told['errors']! + told['non2xx']!,
    };
  });

/** What each of many connections that have asked once adds to a server's memory, in bytes. */
async function idleBytes(server: EncryptedServer, count: number): Promise<number> {
  const before = server.rssBytes();
  const sessions: ClientHttp2Session[] = [];
  for (let i = 0; i < count; i++) {
    const session = connect(url(server, ''), { rejectUnauthorized: false });
    session.on('error', () => {});
    const stream = session.request({ ':path': PATHS[0]! });
    stream.resume();
    await once(stream, 'close');
    sessions.push(session);
  }
  await sleep(500);
  const after = server.rssBytes();
  const open = sessions.filter(({ closed, destroyed }) => !closed && !destroyed).length;
  for (const session of sessions) session.destroy();
  return (after - before) / open;
}

const pair = await startEncryptedPair();
const rounds: Record<string, Round[]> = {};
try {
  for (const [name, load] of [
    ['HTTP/2', http2],
    ['HTTP/1.1', http1],
  ] as const) {
    const ours: Round[] = [];
    const theirs: Round[] = [];
    await load(pair.ours, '1');
    await load(pair.theirs, '1');
    for (let i = 0; i < Number(values.pairs); i++) {
      ours.push(await load(pair.ours, values.seconds));
      theirs.push(await load(pair.theirs, values.seconds));
    }
    rounds[`mediastreamer, ${name}`] = ours;
    rounds[`dnsdist, ${name}`] = theirs;
    const costs = ratios(ours, theirs, 'microseconds');
    process.stdout.write(`${name}: CPU an answer, times dnsdist: ${medianAndRange(costs)}\n`);
    const rate = median(ours.map(({ answersPerSecond }) => answersPerSecond));
    if (rate < CLAIM_PER_SECOND) process.exitCode = 1;
  }
  const idle = Number(values.idle);
  if (idle > 0) {
    const [ours, theirs] = [await idleBytes(pair.ours, idle), await idleBytes(pair.theirs, idle)];
    const kib = (bytes: number): string => (bytes / 1024).toFixed(0);
    process.stdout.write(`KiB an idle connection, ${idle} of them: ${kib(ours)}; dnsdist: ${kib(theirs)}\n`);
  }
} finally {
  await pair.stop();
}
saveRounds('doh', values, rounds);
table([HEADINGS, ...Object.entries(rounds).map(([name, of]) => row(name, of))]);
process.stdout.write(`claimed: ${CLAIM_PER_SECOND} answers/s over either version (loopback)\n`);
