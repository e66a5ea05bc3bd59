/**
 * Steered answers over DNS over HTTPS on one processor, 100 connections with one request in flight each, over HTTP/2 and
 * HTTP/1.1, beside Debian's dnsdist, which spoofs the same names.
 *
 * Loopback; h2load (HTTP/2) and autocannon (HTTP/1.1) on the other processor; CPU by schedstat over all threads. Then the
 * resident memory of an idle HTTP/2 connection.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import * as dnsPacket from 'dns-packet';
import {
  CONNECTIONS,
  comparePair,
  type EncryptedServer,
  HEADINGS,
  type Load,
  measure,
  type Round,
  row,
  STEERED,
  saveRounds,
  startEncryptedPair,
} from './support/encrypted.ts';
import { benchOptions } from './support/options.ts';
import { median, table } from './support/pairs.ts';
import { requirePrograms } from './support/programs.ts';

const run = promisify(execFile);
const CLAIM_PER_SECOND = 20_000;
const AUTOCANNON = join(import.meta.dirname, '../node_modules/autocannon/autocannon.js');
const values = benchOptions(import.meta.url, {
  pairs: ['5', 'rounds, each server once a round'],
  seconds: ['3', 'length of a round'],
  idle: ['1000', 'idle connections'],
});
requirePrograms(['dnsdist', 'h2load', 'openssl', 'taskset']);

const PATHS = STEERED.map((name) => {
  const flags = dnsPacket.RECURSION_DESIRED;
  const message = dnsPacket.encode({ type: 'query', id: 0, flags, questions: [{ name, type: 'A' }] });
  return `/dns-query?dns=${message.toString('base64url')}`;
});
const url = (server: EncryptedServer, path: string): string => `https://127.0.0.1:${server.https}${path}`;

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

/** autocannon takes one path a run; all answers cost the same. */
const http1: Load = (server, seconds) =>
  measure(server, async () => {
    const { stdout } = await run('taskset', [
      ...['-c', '1', process.execPath, AUTOCANNON, '--json', '-c', String(CONNECTIONS), '-d', seconds],
      url(server, PATHS[0]!),
    ]);
    const report = JSON.parse(stdout) as Record<string, number> & { requests: { total: number } };
    const answers = report['2xx']!;
    return {
      answers,
      answersPerSecond: answers / report['duration']!,
      lost: report['errors']! + report['non2xx']!,
    };
  });

/** Memory that each of `count` connections adds once it has asked, in bytes. */
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
    const { ours, theirs } = await comparePair(pair, name, load, values);
    rounds[`mediastreamer, ${name}`] = ours;
    rounds[`dnsdist, ${name}`] = theirs;
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
