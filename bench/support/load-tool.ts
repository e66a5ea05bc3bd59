import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LoadSummary } from '../../src/load/index.ts';

const run = promisify(execFile);
const MAIN = join(import.meta.dirname, '../../src/main.ts');

/** Runs `mediastreamer load` on one processor against a port of 127.0.0.1. @param options further ones of the command */
export async function runLoadTool(
  processor: number,
  port: number,
  options: readonly string[],
): Promise<LoadSummary> {
  const command = [process.execPath, MAIN, 'load', '--json', '--target', `127.0.0.1:${port}`, ...options];
  const { stdout } = await run('taskset', ['-c', String(processor), ...command], { maxBuffer: 64 << 20 });
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as LoadSummary;
}
