/**
 * Runs the commands of a Markdown page. All `sh` blocks run in order in one shell, as if pasted into one terminal. A
 * `text` block right after one is its expected output, with `...` for anything within a line. A block after
 * `<!-- not run: reason -->` is only checked for syntax.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

export interface Block {
  /** Line number of the block's first line in the page, from 1. */
  readonly line: number;
  readonly code: string;
  /** Reason for not running the block; null: it is run. */
  readonly notRun: string | null;
  /** Expected output by line; null: the page gives none. */
  readonly expected: readonly string[] | null;
}

export interface BlockResult {
  readonly line: number;
  readonly code: string;
  /** Exit status of the block's last command; null: the shell ended in this block. */
  readonly status: number | null;
  readonly printed: readonly string[];
}

const FENCE = /^```(\w*)\s*$/;
const NOT_RUN = /^<!--\s*not run:\s*(.+?)\s*-->$/;

/** Reads the `sh` blocks of a Markdown page. */
export function readBlocks(markdown: string): Block[] {
  const lines = markdown.split('\n');
  const blocks: Block[] = [];
  // Only an output block with no text in between belongs to the block above.
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

/** Returns the shell's complaint about a block's syntax; empty: none. */
export function syntaxErrors({ code }: Block): string {
  return spawnSync('sh', ['-n'], { input: code, encoding: 'utf8' }).stderr;
}

/** Compares printed with expected lines; `...` matches anything within a line. */
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
  /** Command with arguments that runs the shell. */
  readonly wrapper?: readonly string[];
}

const MARK = '@@tour@@';

/**
 * Runs blocks in one bash with job control (`kill %1`), then kills the jobs left running.
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
  // A mark precedes each block; another one with the status follows it.
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
