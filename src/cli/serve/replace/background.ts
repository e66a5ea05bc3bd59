import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs the service in a process of its own, which writes where this one does and goes on after it. The supervisor hears from
 * this process that it is the main one now: systemd believes only processes that it started itself (NotifyAccess=exec).
 * @param args of the command `serve`
 * @param notify tells the supervisor a state
 * @returns 0 when it serves; its exit code if it ends before
 */
export async function runInBackground(
  args: readonly string[],
  notify: (state: string) => void,
): Promise<number> {
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
  notify(`MAINPID=${child.pid}\nREADY=1`);
  child.disconnect();
  child.unref();
  return 0;
}
