import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs the service in a process of its own, which writes where this one does and goes on after it.
 * @param args of the command `serve`
 * @returns 0 when it serves; its exit code if it ends before
 */
export async function runInBackground(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, 'serve', ...args], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  // A supervisor that has waited for too long.
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const ready = new Promise<null>((resolve) => {
    child.on('message', (message) => {
      if (message === 'ready') resolve(null);
    });
  });
  const ended = once(child, 'exit').then(([code]) => (code as number | null) ?? 1);
  const code = await Promise.race([ready, ended]);
  if (code !== null) return code;
  child.disconnect();
  child.unref();
  return 0;
}
