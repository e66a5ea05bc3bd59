import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_AGAIN_MS = 20;

/** A server under measurement: a process of its own, pinned to one processor. */
export interface Server {
  readonly pid: number;
  /** CPU that all its threads have used, in seconds (schedstat: run time in ns). */
  cpuSeconds(): number;
  /** Resident memory in bytes. */
  rssBytes(): number;
  stop(): Promise<void>;
}

/**
 * Starts a program on one processor and waits for the line that says that it serves.
 * @param isReady is given each line of its standard output
 */
export async function startServer(
  processor: number | string,
  command: readonly string[],
  isReady: (line: string) => boolean,
  env: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const child = spawn('taskset', ['-c', String(processor), ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  await readyLine(child, isReady);
  return serverOf(child);
}

/**
 * Starts a program that does not say when it serves, on one processor, and waits until `isReady` finds it so.
 * @throws Error where it ends before, or is not ready within `timeoutMs`
 */
export async function startUntil(
  processor: number,
  command: readonly string[],
  isReady: () => Promise<boolean>,
  timeoutMs = 120_000,
): Promise<Server> {
  const child = spawn('taskset', ['-c', String(processor), ...command], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  child.stderr.on('data', (chunk) => {
    told = `${told}${chunk}`.slice(-2000);
  });
  const giveUpAt = performance.now() + timeoutMs;
  while (!(await isReady())) {
    if (child.exitCode === null && performance.now() < giveUpAt) {
      await sleep(LOOK_AGAIN_MS);
      continue;
    }
    child.kill('SIGKILL');
    throw new Error(`${command[0]} is not ready: ${told}`);
  }
  return serverOf(child);
}

function serverOf(child: ChildProcess): Server {
  const pid = child.pid!;
  return {
    pid,
    cpuSeconds: () => cpuSeconds(pid),
    rssBytes: () => rssBytes(pid),
    async stop() {
      if (child.exitCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await exited;
      clearTimeout(timer);
    },
  };
}

async function readyLine(child: ChildProcess, isReady: (line: string) => boolean): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (isReady(line)) resolve();
    });
    child.once('exit', (code) => reject(new Error(`the server ended with ${code} before it was ready`)));
  });
}

/** The sum over the threads that live: none of those measured here ends during a measurement. */
export function cpuSeconds(pid: number): number {
  let nanoseconds = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const text = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8');
    nanoseconds += Number(text.split(' ', 1)[0]);
  }
  return nanoseconds / 1e9;
}

export function rssBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match![1]) * 1024;
}
