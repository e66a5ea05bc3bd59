/**
 * Where a UDP thread's time goes: steered answers at saturation, by innermost function.
 *
 * perf samples the thread on processor 0 while processor 1 asks (flood.c); V8 provides the names of compiled code. Needs
 * perf and the right to use it.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Flooder } from './support/flooder.ts';
import { startListedEdge } from './support/listed-edge.ts';
import { benchOptions } from './support/options.ts';
import { table } from './support/pairs.ts';
import { requirePrograms } from './support/programs.ts';
import { innermost, stacksOf } from './support/stacks.ts';

const run = promisify(execFile);
const [SERVER_PROCESSOR, CLIENT_PROCESSOR] = [0, 1];
const CLIENT = '127.0.1.0';
const CLIENTS = Array.from({ length: 256 }, (_, i) => 0x7f00_0100 + i);
const HERTZ = 997;
const WARM_UP_SECONDS = 2;
const SHOWN = 15;

const values = benchOptions(import.meta.url, {
  seconds: ['5', 'seconds sampled'],
});
const seconds = Number(values.seconds);
requirePrograms(['taskset', 'redis-server', 'cc', 'perf']);

/** Shortens `JS:*decide file:///…/src/dns/query.ts:45:23` to `decide query.ts`, and native names to the function. */
function nameOf(symbol: string, object: string): string | null {
  const script = /^(?:JS|LazyCompile|Function):[*~^+']*(\S*) (\S+)$/.exec(symbol);
  if (script !== null) {
    const file = /([^/]+\.[cm]?[jt]s):\d+:\d+$/.exec(script[2]!)?.[1] ?? 'node';
    return `${script[1] || '(anonymous)'} ${file}`;
  }
  if (/kernel|\[unknown\]|vmlinux/.test(object) && symbol !== '[unknown]') return `${symbol}_[k]`;
  if (symbol === '[unknown]') return null;
  return symbol
    .replace('(anonymous namespace)::', '')
    .replace(/\/\S*\//g, '')
    .replace(/\(.*$/, '')
    .slice(0, 80);
}

/** Run time of each thread of a process, in ns. */
function runTimes(pid: number): Map<string, number> {
  const ran = (task: string): number =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ', 1)[0]);
  return new Map(readdirSync(`/proc/${pid}/task`).map((task) => [task, ran(task)]));
}

/** The thread with the most run time since `before`. */
function busiest(pid: number, before: ReadonlyMap<string, number>): string {
  const since = [...runTimes(pid)].map(([task, ran]) => [task, ran - (before.get(task) ?? 0)] as const);
  return since.sort(([, a], [, b]) => b - a)[0]![0];
}

const directory = mkdtempSync(join(tmpdir(), 'bench-profile-'));
const flooder = new Flooder(CLIENT_PROCESSOR);
const edge = await startListedEdge({
  processor: SERVER_PROCESSOR,
  otherProcessor: CLIENT_PROCESSOR,
  addresses: 1_000_000,
  own: CLIENTS,
  relay: '192.0.2.10',
  dns: ', shield: { mode: off }',
  nodeOptions: ['--perf-basic-prof', `--logfile=${join(directory, 'v8.log')}`, '--no-logfile-per-isolate'],
});
try {
  const flood = { from: CLIENT, sources: CLIENTS.length, rate: -1 };
  const before = runTimes(edge.pid);
  await flooder.run({ port: edge.port, seconds: WARM_UP_SECONDS, flood });
  const data = join(directory, 'perf.data');
  const asked = flooder.run({ port: edge.port, seconds: seconds + 1, flood });
  const record = [
    'record',
    '-e',
    'cpu-clock',
    '-F',
    String(HERTZ),
    '-g',
    '-t',
    busiest(edge.pid, before),
    '-o',
    data,
  ];
  await run('perf', [...record, '--', 'sleep', String(seconds)]);
  await asked;
  const script = execFileSync('perf', ['script', '-F', 'comm,ip,sym,dso', '-i', data], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const stacks = stacksOf(script, nameOf);
  if (stacks.length === 0) throw new Error('perf sampled nothing of the thread');
  const shares = innermost(stacks);
  const inKernel = shares.reduce((sum, [name, share]) => (name.endsWith('_[k]') ? sum + share : sum), 0);
  const own = shares.filter(([name]) => !name.endsWith('_[k]'));
  table([
    ['innermost, without the kernel', '% of all'],
    ...own.slice(0, SHOWN).map(([name, share]) => [name, (100 * share).toFixed(1)]),
  ]);
  process.stdout.write(`\nin the kernel: ${(100 * inKernel).toFixed(0)} %, of ${stacks.length} samples\n`);
} finally {
  await edge.stop();
  flooder.close();
  rmSync(directory, { recursive: true });
  rmSync(`/tmp/perf-${edge.pid}.map`, { force: true });
}
