import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface DnsperfOptions {
  processor: number;
  port: number;
  /** Whom to ask; 127.0.0.1 by default. */
  server?: string;
  /** A program, with its arguments, that runs dnsperf. */
  wrapper?: readonly string[];
  /** Name and type of each query, asked in turns. */
  queries: readonly string[];
  seconds: number;
  /** The address that it asks from; 127.0.0.1 by default. */
  source?: string;
  /** Queries a second at the most; none: as many as are answered. */
  rate?: number;
  /** Queries under way at one time. */
  outstanding?: number;
}

export interface DnsperfResult {
  answers: number;
  lost: number;
  answersPerSecond: number;
  averageLatencyMs: number;
}

/** Asks by dnsperf, from its own processor. dnsperf is closed-loop: it slows down with the server. */
export async function dnsperf(options: DnsperfOptions): Promise<DnsperfResult> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'));
  const file = join(directory, 'queries');
  writeFileSync(file, `${options.queries.join('\n')}\n`);
  const rate = options.rate === undefined ? [] : ['-Q', String(options.rate)];
  try {
    const { stdout } = await run('taskset', [
      ...['-c', String(options.processor), ...(options.wrapper ?? [])],
      ...['dnsperf', '-s', options.server ?? '127.0.0.1', '-p', String(options.port)],
      ...['-d', file, '-c', '16', '-T', '1', '-q', String(options.outstanding ?? 600)],
      ...(options.source === undefined ? [] : ['-a', options.source]),
      ...['-l', String(options.seconds), '-O', 'suppress=timeout', ...rate],
    ]);
    return {
      answers: numberAfter(stdout, /Queries completed:\s+(\d+)/),
      lost: numberAfter(stdout, /Queries lost:\s+(\d+)/),
      answersPerSecond: numberAfter(stdout, /Queries per second:\s+([\d.]+)/),
      averageLatencyMs: numberAfter(stdout, /Average Latency \(s\):\s+([\d.]+)/) * 1000,
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function numberAfter(text: string, pattern: RegExp): number {
  const match = pattern.exec(text);
  if (match === null) throw new Error(`dnsperf did not tell ${pattern}`);
  return Number(match[1]);
}
