import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** EX_SOFTWARE of sysexits(3): an error of the program itself. */
export const EXIT_CRASH = 70;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MOST_FRAMES = 20;

/** What is told of a crash. Never the message: it may hold what a client sent. */
export interface CrashReport {
  readonly level: 'fatal';
  readonly msg: 'crash';
  readonly name: string;
  readonly code: string | null;
  /** `src/dns/query.ts:10:5`, the innermost first: places in the program, no names. */
  readonly frames: readonly string[];
}

/** Describes anything thrown; throws nothing itself, whatever getters or proxies it is given. */
export function crashReport(thrown: unknown): CrashReport {
  return {
    level: 'fatal',
    msg: 'crash',
    name: attempt(() => nameOf(thrown), 'unknown'),
    code: attempt(() => codeOf(thrown), null),
    frames: attempt(() => framesOf(thrown), []),
  };
}

export interface CrashOutput {
  readonly write: (line: string) => void;
  readonly exit: (code: number) => void;
}

/** A crash is a log line like others: standard output, written before the process goes. */
const PROCESS_OUTPUT: CrashOutput = {
  write: (line) => void writeSync(1, line),
  exit: (code) => process.exit(code),
};

/** Tells of a crash in one JSON line and ends the process with EXIT_CRASH. */
export function crash(thrown: unknown, output: CrashOutput = PROCESS_OUTPUT): void {
  attempt(() => output.write(`${JSON.stringify(crashReport(thrown))}\n`), undefined);
  output.exit(EXIT_CRASH);
}

/** Takes over what nothing caught, where Node would print the message. */
export function installCrashHandlers(): void {
  process.on('uncaughtException', (error) => crash(error));
  process.on('unhandledRejection', (reason) => crash(reason));
}

function nameOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown;
  // The class, not `name`, which anyone may set.
  const name = thrown.constructor.name;
  return /^[A-Za-z][A-Za-z0-9]{0,63}$/.test(name) ? name : 'Error';
}

function codeOf(thrown: unknown): string | null {
  const code = thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,63}$/.test(code) ? code : null;
}

/**
 * The stack begins with the message, which may hold lines that look like frames: the frames are what follows
 * it, and where it cannot be found there are none. Function names are left out, as computed ones hold data.
 */
function framesOf(thrown: unknown): string[] {
  if (!(thrown instanceof Error) || typeof thrown.stack !== 'string') return [];
  const start = thrown.stack.indexOf(thrown.message);
  if (start < 0) return [];
  const frames: string[] = [];
  for (const line of thrown.stack.slice(start + thrown.message.length).split('\n')) {
    const match = /^\s+at (?:.* \()?([^()]*):(\d+):(\d+)\)?$/.exec(line);
    if (match && frames.length < MOST_FRAMES) frames.push(`${placeOf(match[1]!)}:${match[2]}:${match[3]}`);
  }
  return frames;
}

function placeOf(location: string): string {
  const path = location.startsWith('file:') ? fileURLToPath(location) : location;
  if (path.startsWith('node:')) return /^node:[a-z0-9_/]+$/.test(path) ? path : 'node:';
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : 'elsewhere';
}

function attempt<T>(step: () => T, fallback: T): T {
  try {
    return step();
  } catch {
    return fallback;
  }
}
