import { readFileSync } from 'node:fs';
import { type Io, UsageError } from './command.ts';
import { COMMANDS, DEFAULT_COMMAND, type TableEntry } from './table.ts';

export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** Runs the arguments after `main.ts`. Resolves to the exit code. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { name, args } = split(argv);
  if (name === 'help') return printHelp(args[0], io);
  if (name === '--version') {
    io.out(version());
    return 0;
  }
  const entry = find(name);
  if (entry === undefined) return unknownCommand(name, io);
  if (wantsHelp(args)) return printHelp(entry.name, io);
  try {
    const command = await entry.load();
    return await command.run(args, io);
  } catch (error) {
    return report(error, entry.name, io);
  }
}

/** Splits off the command's name. A line that begins with an option is for the default command. */
function split(argv: readonly string[]): { name: string; args: string[] } {
  const [first, ...rest] = argv;
  if (first === '--help' || first === '-h') return { name: 'help', args: [] };
  if (first === undefined) return { name: DEFAULT_COMMAND, args: [] };
  if (first === '--version' || first === '-v' || first === 'version')
    return { name: '--version', args: rest };
  if (first.startsWith('-')) return { name: DEFAULT_COMMAND, args: [...argv] };
  return { name: first, args: rest };
}

function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  const options = end < 0 ? args : args.slice(0, end);
  return options.includes('--help') || options.includes('-h');
}

function find(name: string): TableEntry | undefined {
  return COMMANDS.find((entry) => entry.name === name);
}

function unknownCommand(name: string, io: Io): number {
  const close = COMMANDS.find((entry) => entry.name.startsWith(name) || distance(entry.name, name) <= 2);
  const hint = close === undefined ? 'see mediastreamer --help' : `did you mean ${close.name}?`;
  io.err(`mediastreamer: unknown command ${JSON.stringify(name)}; ${hint}`);
  return EXIT_USAGE;
}

/** Levenshtein distance. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const substituted = row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, substituted));
    }
    row = next;
  }
  return row[other.length];
}

async function printHelp(name: string | undefined, io: Io): Promise<number> {
  if (name === undefined) {
    io.out(overview());
    return 0;
  }
  const entry = find(name);
  if (entry === undefined) return unknownCommand(name, io);
  io.out((await entry.load()).usage);
  return 0;
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'Usage: mediastreamer [COMMAND] [OPTIONS]     (or npm start -- [COMMAND] [OPTIONS])',
    '',
    'Smart DNS for devices that cannot run a VPN client.',
    '',
    'Commands:',
    ...lines,
    '',
    'Options:',
    '  --config FILE  configuration; default: MEDIASTREAMER_CONFIG, else config/default.yaml',
    '  -h, --help     this help; mediastreamer COMMAND --help explains a command',
    '  -v, --version  the version',
    '',
    'Exit codes: 0 done, 1 failed because of its input, 2 bad usage, 70 crash.',
  ].join('\n');
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Prints one line for an expected error; rethrows anything else, which is a crash. */
function report(error: unknown, name: string, io: Io): number {
  if (error instanceof UsageError) {
    io.err(`mediastreamer ${name}: ${error.message}; see mediastreamer ${name} --help`);
    return EXIT_USAGE;
  }
  if (!isExpected(error)) throw error;
  // Errors in files name their own place, a line each.
  if ('problems' in error) io.err(error.message);
  else io.err(`mediastreamer ${name}: ${firstLine(error.message)}`);
  return EXIT_FAILED;
}

/** Our errors and the system's have a code; Node's `ERR_` codes are bugs. */
function isExpected(error: unknown): error is Error {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' && !code.startsWith('ERR_');
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!;
}
