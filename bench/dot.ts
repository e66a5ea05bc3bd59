/**
 * Steered answers over DNS over TLS, 100 connections with one query in flight each, on one processor: answers a second
 * beside Debian's dnsdist, which spoofs them.
 *
 *   node bench/dot.ts [--pairs 5] [--seconds 4]
 *
 * Loopback; dnsperf on the other processor; CPU by schedstat over all threads.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
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
const CLAIM = 1;
const { values } = parseArgs({
  options: { pairs: { type: 'string', default: '5' }, seconds: { type: 'string', default: '4' } },
});
requirePrograms(['dnsdist', 'dnsperf', 'openssl', 'taskset']);

const pair = await startEncryptedPair();
const queries = join(pair.directory, 'queries');
writeFileSync(queries, STEERED.map((name) => `${name} A\n`).join(''));

const ask = (server: EncryptedServer, seconds: string): Promise<Round> =>
  measure(server, async () => {
    const { stdout } = await run('taskset', [
      ...['-c', '1', 'dnsperf', '-m', 'dot', '-s', '127.0.0.1', '-p', String(server.tls), '-d', queries],
      ...[
        '-c',
        String(CONNECTIONS),
        '-q',
        String(CONNECTIONS),
        '-T',
        '1',
        '-l',
        seconds,
        '-O',
        'suppress=timeout',
      ],
    ]);
    const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1]);
    return {
      answers: number(/Queries completed:\s+(\d+)/),
      answersPerSecond: number(/Queries per second:\s+([\d.]+)/),
      lost: number(/Queries lost:\s+(\d+)/),
    };
  });

const ours: Round[] = [];
const theirs: Round[] = [];
try {
  await ask(pair.ours, '1');
  await ask(pair.theirs, '1');
  for (let i = 0; i < Number(values.pairs); i++) {
    ours.push(await ask(pair.ours, values.seconds));
    theirs.push(await ask(pair.theirs, values.seconds));
  }
} finally {
  await pair.stop();
}

saveRounds('dot', values, { 'mediastreamer, DoT': ours, 'dnsdist, DoT': theirs });
table([HEADINGS, row('mediastreamer', ours), row('dnsdist', theirs)]);
const rates = ratios(ours, theirs, 'answersPerSecond');
const costs = ratios(ours, theirs, 'microseconds');
process.stdout.write(`CPU an answer, times dnsdist: ${medianAndRange(costs)}\n`);
process.stdout.write(
  `answers a second, times dnsdist: ${medianAndRange(rates)}; claimed: ${CLAIM} (loopback)\n`,
);
if (median(rates) < CLAIM) process.exitCode = 1;
