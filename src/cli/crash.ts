import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** EX_SOFTWARE of sysexits(3): a bug in the program. */
export const EXIT_CRASH = 70;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MAX_FRAMES = 20;

/** Log line of a crash. It leaves the message out, which may hold what a client sent. */
export interface CrashReport {
  readonly level: 'fatal';
  readonly msg: 'crash';
  readonly name: string;
  readonly code: string | null;
  /** Code locations such as `src/dns/query.ts:10:5`, innermost first, without function names. */
  readonly frames: readonly string[];
}

/** Describes any thrown value. Never throws, even for hostile getters and proxies. */
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

/** Writes to standard output, where the log goes, before the process exits. */
const PROCESS_OUTPUT: CrashOutput = {
  write: (line) => void writeSync(1, line),
  exit: (code) => process.exit(code),
};

/** Logs a crash as one JSON line and exits with EXIT_CRASH. */
export function crash(thrown: unknown, output: CrashOutput = PROCESS_OUTPUT): void {
  attempt(() => output.write(`${JSON.stringify(crashReport(thrown))}\n`), undefined);
  output.exit(EXIT_CRASH);
}

/** Handles uncaught errors, whose message Node would print, and SIGUSR1, at which Node would open a debugger. */
export function installCrashHandlers(): void {
  process.on('SIGUSR1', () => {});
  process.on('uncaughtException', (error) => crash(error));
  process.on('unhandledRejection', (reason) => crash(reason));
}

function nameOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown;
  // The class name: `name` can be set to anything.
  const name = thrown.constructor.name;
  return /^[A-Za-z][A-Za-z0-9]{0,63}$/.test(name) ? name : 'Error';
}

function codeOf(thrown: unknown): string | null {
  const code = thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined;
  // Node's codes only: text in lower case may be a name or a token.
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,63}$/.test(code) ? code : null;
}

/**
 * Reads the frames after the message, which may itself hold lines that look like frames; without a message to skip,
 * there are no frames. Function names are left out: computed ones may hold data.
 */
function framesOf(thrown: unknown): string[] {
  if (!(thrown instanceof Error) || typeof thrown.stack !== 'string') return [];
  const start = thrown.stack.indexOf(thrown.message);
  if (start < 0) return [];
  const frames: string[] = [];
  for (const line of thrown.stack.slice(start + thrown.message.length).split('\n')) {
    const match = /^\s+at (?:.* \()?([^()]*):(\d+):(\d+)\)?$/.exec(line);
    if (match && frames.length < MAX_FRAMES) frames.push(`${placeOf(match[1]!)}:${match[2]}:${match[3]}`);
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
