import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

/** Where results go unless --out says otherwise. git ignores it: what is to be kept is added by hand. */
export const RESULTS_DIRECTORY = join(import.meta.dirname, '../results');

/** One thing measured several times, in the order of the rounds: value i of all in a group is of one round. */
export interface Series {
  /** Series of one group are drawn in one plot, beside one another. */
  readonly group: string;
  readonly label: string;
  readonly unit: string;
  readonly values: readonly number[];
}

/** How a cost goes as something grows. */
export interface Curve {
  readonly group: string;
  readonly label: string;
  readonly xLabel: string;
  readonly unit: string;
  /** Each measured several times. */
  readonly points: readonly { readonly x: number; readonly values: readonly number[] }[];
}

/** What a run of a bench found, raw. */
export interface BenchResult {
  readonly bench: string;
  readonly takenAt: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string | number>>;
  readonly series: readonly Series[];
  readonly curves: readonly Curve[];
}

/** Writes a result as `DIRECTORY/BENCH.json`, in the place of the last one. @returns the file */
export function writeResult(
  directory: string,
  result: Pick<BenchResult, 'bench' | 'options'> &
    Partial<Pick<BenchResult, 'versions' | 'series' | 'curves'>>,
): string {
  mkdirSync(directory, { recursive: true });
  const whole: BenchResult = {
    ...{ takenAt: new Date().toISOString(), machine: machine(), series: [], curves: [] },
    ...result,
    versions: { node: process.version, mediastreamer: commit(), ...result.versions },
  };
  const file = join(directory, `${result.bench}.json`);
  writeFileSync(file, `${JSON.stringify(whole, null, 2)}\n`);
  return file;
}

function machine(): BenchResult['machine'] {
  const processors = cpus();
  return {
    processor: processors[0]?.model ?? 'unknown',
    processors: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown',
  };
}

function commit(): string {
  try {
    const options = { cwd: import.meta.dirname, encoding: 'utf8' } as const;
    return execFileSync('git', ['describe', '--always', '--dirty'], options).trim();
  } catch {
    return 'unknown';
  }
}
