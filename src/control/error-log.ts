import { basename } from 'node:path';
import type { ControlLogger } from './options.ts';

/** The parts of an error that may be logged; its message can hold what a client sent. */
interface LoggedError {
  errorName: string;
  code: string | null;
  stack: string[];
}

const LOCATION = /((?:node:)?[\w./@-]+:\d+:\d+)\)?$/;
const MAX_FRAMES = 8;

/** Describes an error by its class, its code and the places of its stack in our files. */
export function describeError(error: unknown): LoggedError {
  if (!(error instanceof Error)) return { errorName: typeof error, code: null, stack: [] };
  const code = codeOf(error);
  return {
    errorName: /^[A-Za-z]{1,40}$/.test(error.name) ? error.name : 'Error',
    code: /^[A-Za-z][A-Za-z_]{0,47}$/.test(code) ? code : null,
    stack: framesOf(error).flatMap(frameLocation).slice(0, MAX_FRAMES),
  };
}

/** The `code` of an error, or '' if it has none. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** Skips the message, which stands before the frames and may have lines that look like frames. */
function framesOf({ stack, message }: Error): string[] {
  const start = typeof stack === 'string' ? stack.indexOf(message) : -1;
  return start < 0 ? [] : stack!.slice(start + message.length).split('\n');
}

function frameLocation(frame: string): string[] {
  if (!/^\s+at /.test(frame)) return [];
  const location = LOCATION.exec(frame)?.[1];
  if (location === undefined) return [];
  return [location.startsWith('node:') ? location : basename(location)];
}

/** At most one line per interval: an unavailable store fails thousands of calls a second. */
const MIN_LINE_INTERVAL_MS = 1000;

/** Logs our own errors, rate-limited and without anything that a client sent. */
export class ErrorLog {
  private readonly logger: ControlLogger;
  private readonly now: () => number;
  private nextAt = 0;
  private suppressed = 0;

  constructor(logger: ControlLogger, now: () => number) {
    this.logger = logger;
    this.now = now;
  }

  /** @param route the route's pattern, such as `/v1/accounts/:id`; never the requested path */
  note(error: unknown, method: string, route: string): void {
    const now = this.now();
    if (now < this.nextAt) {
      this.suppressed += 1;
      return;
    }
    this.logger.error(
      { ...describeError(error), method, route, suppressed: this.suppressed },
      'API call failed',
    );
    this.nextAt = now + MIN_LINE_INTERVAL_MS;
    this.suppressed = 0;
  }
}
