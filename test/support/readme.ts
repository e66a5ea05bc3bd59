/**
 * Runs what a Markdown text tells its reader to paste. Every `sh` block is run, in order, in one shell, as a person
 * would do it in one terminal; a `text` block right after it is what it prints, with `...` for anything within a
 * line. A block after `<!-- not run: reason -->` is only read by the shell, for its syntax.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

export interface Block {
  /** The line of the text that the block's first line is, from 1. */
  readonly line: number;
  readonly code: string;
  /** Why it is not run; null where it is. */
  readonly notRun: string | null;
  /** What it prints, line by line; null where the text does not say. */
  readonly expected: readonly string[] | null;
}

export interface BlockResult {
  readonly line: number;
  readonly code: string;
  /** The exit status of the block's last command; null where the shell ended in it. */
  readonly status: number | null;
  readonly printed: readonly string[];
}

const FENCE = /^```(\w*)\s*$/;
const NOT_RUN = /^<!--\s*not run:\s*(.+?)\s*-->$/;

/** Takes the `sh` blocks of a Markdown text. */
export function readBlocks(markdown: string): Block[] {
  const lines = markdown.split('\n');
  const blocks: Block[] = [];
  // The text between two fences decides whether they belong together.
  let between: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const language = FENCE.exec(lines[at])?.[1];
    if (language === undefined) {
      if (lines[at].trim() !== '') between.push(lines[at].trim());
      continue;
    }
    const end = lines.findIndex((line, index) => index > at && line.trim() === '```');
    if (end < 0) throw new Error(`line ${at + 1}: a block without an end`);
    const body = lines.slice(at + 1, end);
    const last = blocks.at(-1);
    if (language === 'sh') {
      const notRun = NOT_RUN.exec(between.at(-1) ?? '')?.[1] ?? null;
      blocks.push({ line: at + 2, code: body.join('\n'), notRun, expected: null });
    } else if (language === 'text' && between.length === 0 && last !== undefined && last.expected === null) {
      blocks[blocks.length - 1] = { ...last, expected: body };
    }
    between = [];
    at = end;
  }
  return blocks;
}

/** What the shell has against a block's syntax; empty if nothing. */
export function syntaxFaults({ code }: Block): string {
  return spawnSync('sh', ['-n'], { input: code, encoding: 'utf8' }).stderr;
}

/** Whether what was printed is what was expected; `...` stands for anything within a line. */
export function printsAsExpected(printed: readonly string[], expected: readonly string[]): boolean {
  return (
    printed.length === expected.length &&
    expected.every((line, index) => {
      const parts = line.split('...').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
      return new RegExp(`^${parts.join('.*')}$`).test(printed[index]);
    })
  );
}

export interface TourOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  /** A command, with its arguments, that runs the shell. */
  readonly wrapper?: readonly string[];
}

const MARK = '@@tour@@';

/**
 * Runs blocks in one bash, with jobs as in a terminal (`kill %1`). What is left running is ended with it.
 * @returns the blocks' results, up to the one in which the shell ended
 */
export async function runTour(
  blocks: readonly Block[],
  { cwd, env, timeoutMs, wrapper = [] }: TourOptions,
): Promise<{ results: BlockResult[]; stderr: string }> {
  const steps = blocks.map(({ code }) => `printf '\\n${MARK}\\n'\n${code}\nprintf '\\n${MARK}%d\\n' $?`);
  const endJobs = "trap 'for job in $(jobs -p); do kill -- -$job; done' EXIT";
  const script = [endJobs, 'set -m', ...steps];
  const [first, ...rest] = [...wrapper, 'bash', '-c', script.join('\n')];
  const shell = spawn(first, rest, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    shell[name].setEncoding('utf8').on('data', (text) => {
      output[name] += text;
    });
  }
  const late = setTimeout(() => shell.kill('SIGTERM'), timeoutMs);
  await once(shell, 'exit');
  clearTimeout(late);
  // Marks begin each block, and end it with a status.
  const parts = output.stdout.split(`\n${MARK}`);
  const results = blocks.flatMap(({ line, code }, index) => {
    const body = parts[1 + 2 * index];
    if (body === undefined) return [];
    const end = parts[2 + 2 * index];
    const printed = body.split('\n').slice(1);
    while (printed.at(-1) === '') printed.pop();
    return [{ line, code, status: end === undefined ? null : Number(end.split('\n')[0]), printed }];
  });
  return { results, stderr: output.stderr };
}
