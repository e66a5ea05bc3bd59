import { pino } from 'pino';

/** The message is a constant; fields hold no client address, no queried name and no secret. */
export type LogCall = (fields: object, message: string) => void;

export interface Log {
  fatal: LogCall;
  error: LogCall;
  warn: LogCall;
  info: LogCall;
  debug: LogCall;
  level: string;
}

/** Creates the log on standard output: one JSON object a line (pino), or readable lines on a terminal. */
export function createLog(level: string, terminal: boolean): Log {
  const options = {
    level,
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  if (terminal) return pino(options, { write: (line: string) => void process.stdout.write(readable(line)) });
  return pino(options, pino.destination({ fd: 1, sync: true }));
}

/** `12:30:05 warn  message  key=value ...` */
export function readable(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 19);
  const pairs = Object.entries(fields).map(([key, value]) => `${key}=${plain(value)}`);
  return `${[clock, String(level).padEnd(5), msg, ...pairs].join(' ')}\n`;
}

function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(plain).join(',');
  return JSON.stringify(value);
}
