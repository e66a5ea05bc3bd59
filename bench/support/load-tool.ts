import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LoadSummary } from '../../src/load/index.ts';

const run = promisify(execFile);
const MAIN = join(import.meta.dirname, '../../src/main.ts');

/**
 * Runs `mediastreamer load` on one processor. @param options further ones of the command
 * @param at whom it asks, 127.0.0.1 by default, and a program, with its arguments, that runs it
 */
export async function runLoadTool(
  processor: number,
  port: number,
  options: readonly string[],
  { address = '127.0.0.1', wrapper = [] }: { address?: string; wrapper?: readonly string[] } = {},
): Promise<LoadSummary> {
  const target = ['--target', `${address}:${port}`];
  const command = [...wrapper, process.execPath, MAIN, 'load', '--json', ...target, ...options];
  const { stdout } = await run('taskset', ['-c', String(processor), ...command], { maxBuffer: 64 << 20 });
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as LoadSummary;
}
