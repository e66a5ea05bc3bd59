import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

/** Default directory of results. git ignores it; add results worth keeping by hand. */
export const RESULTS_DIRECTORY = join(import.meta.dirname, '../results');

/** Repeated measurements in the order of the rounds: value i of every series in a group is from the same round. */
export interface Series {
  /** Series of one group are comparable. */
  readonly group: string;
  readonly label: string;
  readonly unit: string;
  readonly values: readonly number[];
}

/** A cost over a growing quantity. */
export interface Curve {
  readonly group: string;
  readonly label: string;
  readonly xLabel: string;
  readonly unit: string;
  /** Each measured several times. */
  readonly points: readonly { readonly x: number; readonly values: readonly number[] }[];
}

/** Raw result of a run. */
export interface BenchResult {
  readonly bench: string;
  readonly takenAt: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string | number>>;
  readonly series: readonly Series[];
  readonly curves: readonly Curve[];
}

/** Writes a result as `DIRECTORY/BENCH.json`, replacing the previous one. @returns the file */
export function writeResult(
  directory: string,
  result: Pick<BenchResult, 'bench' | 'options'> &
    Partial<Pick<BenchResult, 'versions' | 'series' | 'curves'>>,
): string {
  mkdirSync(directory, { recursive: true });
  const whole: BenchResult = {
    takenAt: new Date().toISOString(),
    machine: machine(),
    series: [],
    curves: [],
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
