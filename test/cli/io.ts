import type { Io } from '../../src/cli/command.ts';

/** Records output, one entry per call. */
export function recorder(env: Record<string, string> = {}, cwd = process.cwd()) {
  const out: string[] = [];
  const err: string[] = [];
  const keep = (lines: string[]) => (text: string) => void lines.push(...text.replace(/\n$/, '').split('\n'));
  const io: Io = { out: keep(out), err: keep(err), env, cwd };
  return { io, out, err };
}
