/**
 * The idle service, all roles that `npm start` runs, on the default configuration: under 150 MB of resident memory.
 *
 * Each run is a start of `npm start` in an empty directory; the memory is read 5 s after it is ready. What a
 * million addresses add is bench/allowlist.ts's to show. Exits 1 if the claim is missed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { benchOptions } from './support/options.ts';
import { median, table } from './support/pairs.ts';
import { rssBytes } from './support/process.ts';
import { RESULTS_DIRECTORY, writeResult } from './support/results.ts';

const CLAIM_MB = 150;
const SETTLE_MS = 5000;
const ROOT = join(import.meta.dirname, '..');
const values = benchOptions(import.meta.url, {
  runs: ['3', 'starts measured'],
  out: [RESULTS_DIRECTORY, 'directory of the raw results'],
});

/** The default configuration on free ports, with a directory of its own. */
function configuration(directory: string): string {
  const text = readFileSync(join(ROOT, 'config/default.yaml'), 'utf8')
    .replace(/^dataDir: \S+/m, `dataDir: ${join(directory, 'var')}`)
    .replace('"services/*.yaml"', JSON.stringify(join(ROOT, 'config/services/*.yaml')))
    .replace(/127\.0\.0\.1:(?:5300|8080|9153)"/g, '127.0.0.1:0"');
  const file = join(directory, 'config.yaml');
  writeFileSync(file, text);
  return file;
}

/** Descendants of a process that run the program; npm starts it as its child. */
function programOf(parent: number): number {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, ppid] = /\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))!;
      if (Number(ppid) === parent) return Number(pid);
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error('npm start has started nothing');
}

async function run(): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-memory-'));
  const npm = spawn('npm', ['start', '--silent', '--', '--config', configuration(directory)], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: npm.stdout })) if (line.includes('"msg":"ready"')) break;
  await sleep(SETTLE_MS);
  const rss = rssBytes(programOf(npm.pid!)) / 2 ** 20;
  npm.kill('SIGTERM');
  await once(npm, 'exit');
  rmSync(directory, { recursive: true });
  return rss;
}

const figures: number[] = [];
for (let i = 0; i < Number(values.runs); i++) figures.push(await run());
table([['run', 'RSS, MB'], ...figures.map((mb, i) => [String(i + 1), mb.toFixed(1)])]);
process.stdout.write(`median ${median(figures).toFixed(1)} MB; claimed: under ${CLAIM_MB}\n`);
writeResult(values.out, {
  bench: 'memory',
  options: { runs: figures.length, claimedMB: CLAIM_MB },
  series: [{ group: 'Resident memory, idle', label: 'all roles', unit: 'MB', values: figures }],
});
if (median(figures) >= CLAIM_MB) process.exitCode = 1;
