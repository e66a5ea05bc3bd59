import { readFileSync } from 'node:fs';
import { type Io, UsageError } from './command.ts';
import { COMMANDS, DEFAULT_COMMAND, type TableEntry } from './table.ts';

export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** Runs the command line (what follows `main.ts`) and resolves to the exit code. */
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

/** The command's name and what follows it; a line that begins with an option is for the default command. */
function split(argv: readonly string[]): { name: string; args: string[] } {
  const [first, ...rest] = argv;
  if (first === '--help' || first === '-h') return { name: 'help', args: [] };
  if (first === undefined) return { name: DEFAULT_COMMAND, args: [] };
  if (first === '--version') return { name: first, args: rest };
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
  io.err(`mediastreamer: unknown command ${JSON.stringify(name)}; mediastreamer --help lists them`);
  return EXIT_USAGE;
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
    '  --config FILE  the configuration; else MEDIASTREAMER_CONFIG, else config/default.yaml',
    '  -h, --help     this help; mediastreamer COMMAND --help tells about a command',
    '  --version      the version',
    '',
    'Exit codes: 0 done, 1 a fault in what was given, 2 bad usage, 70 a crash.',
  ].join('\n');
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** One line for a failure that has a code of its own; anything else is a crash, and is thrown on. */
function report(error: unknown, name: string, io: Io): number {
  if (error instanceof UsageError) {
    io.err(`mediastreamer ${name}: ${error.message}; mediastreamer ${name} --help tells how`);
    return EXIT_USAGE;
  }
  if (!isExpected(error)) throw error;
  // Faults of files name their place themselves, a line each.
  if ('faults' in error) io.err(error.message);
  else io.err(`mediastreamer ${name}: ${firstLine(error.message)}`);
  return EXIT_FAILED;
}

/** Errors of ours and of the system carry a code; Node's `ERR_` ones tell of a mistake in the program. */
function isExpected(error: unknown): error is Error {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' && !code.startsWith('ERR_');
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!;
}
