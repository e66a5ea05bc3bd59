/**
 * Steered answers over DNS over TLS on one processor, 100 connections with one query in flight each, beside Debian's
 * dnsdist, which spoofs the same names.
 *
 * Loopback; dnsperf on the other processor; CPU by schedstat over all threads.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  CONNECTIONS,
  comparePair,
  HEADINGS,
  type Load,
  measure,
  ratios,
  row,
  STEERED,
  saveRounds,
  startEncryptedPair,
} from './support/encrypted.ts';
import { benchOptions } from './support/options.ts';
import { median, medianAndRange, table } from './support/pairs.ts';
import { requirePrograms } from './support/programs.ts';

const run = promisify(execFile);
const CLAIM = 1;
const values = benchOptions(import.meta.url, {
  pairs: ['5', 'rounds, each server once a round'],
  seconds: ['4', 'length of a round'],
});
requirePrograms(['dnsdist', 'dnsperf', 'openssl', 'taskset']);

const pair = await startEncryptedPair();
const queries = join(pair.directory, 'queries');
writeFileSync(queries, STEERED.map((name) => `${name} A\n`).join(''));

const ask: Load = (server, seconds) =>
  measure(server, async () => {
    const { stdout } = await run('taskset', [
      ...['-c', '1', 'dnsperf', '-m', 'dot', '-s', '127.0.0.1', '-p', String(server.tls), '-d', queries],
      ...['-c', String(CONNECTIONS), '-q', String(CONNECTIONS), '-T', '1', '-l', seconds],
      ...['-O', 'suppress=timeout'],
    ]);
    const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1]);
    return {
      answers: number(/Queries completed:\s+(\d+)/),
      answersPerSecond: number(/Queries per second:\s+([\d.]+)/),
      lost: number(/Queries lost:\s+(\d+)/),
    };
  });

const { ours, theirs } = await comparePair(pair, 'DoT', ask, values).finally(() => pair.stop());

saveRounds('dot', values, { 'mediastreamer, DoT': ours, 'dnsdist, DoT': theirs });
table([HEADINGS, row('mediastreamer', ours), row('dnsdist', theirs)]);
const rates = ratios(ours, theirs, 'answersPerSecond');
process.stdout.write(
  `answers a second, times dnsdist: ${medianAndRange(rates)}; claimed: ${CLAIM} (loopback)\n`,
);
if (median(rates) < CLAIM) process.exitCode = 1;
