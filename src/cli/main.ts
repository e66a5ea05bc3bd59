import { writeSync } from 'node:fs';
import { type Io, UsageError } from './command.ts';
import { crash, installCrashHandlers } from './crash.ts';
import { run } from './run.ts';

const EXIT_BROKEN_PIPE = 141;

/** Runs the command line and exits with its code. */
export async function main(): Promise<void> {
  installCrashHandlers();
  try {
    process.exit(await run(process.argv.slice(2), processIo()));
  } catch (error) {
    crash(error);
  }
}

function processIo(): Io {
  return {
    out: (text) => write(1, text),
    err: (text) => write(2, text),
    cwd: process.cwd(),
    env: process.env,
    ask: process.stdin.isTTY && process.stdout.isTTY ? ask : undefined,
  };
}

async function ask(question: string): Promise<string> {
  // Imported lazily: only init asks anything.
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const closed = new Promise<never>((_, reject) => {
    terminal.once('close', () => reject(new UsageError('no answer: the terminal was closed')));
  });
  try {
    return await Promise.race([terminal.question(question), closed]);
  } finally {
    closed.catch(() => {});
    terminal.close();
  }
}

/** Writes synchronously: nothing is lost when the process exits. A closed pipe ends the process quietly. */
function write(descriptor: number, text: string): void {
  const bytes = Buffer.from(text.endsWith('\n') ? text : `${text}\n`);
  let offset = 0;
  while (offset < bytes.length) {
    try {
      offset += writeSync(descriptor, bytes, offset);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') process.exit(EXIT_BROKEN_PIPE);
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
