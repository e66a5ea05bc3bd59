/** One error in a configuration: where it is, what was found, what was expected. */
export interface Problem {
  readonly file: string;
  /** Line number from 1; undefined if no line can be named. */
  readonly line?: number | undefined;
  /** Path of the key, such as `dns.udp[0]`; undefined for the file as a whole. */
  readonly key?: string | undefined;
  readonly found: string;
  readonly expected: string;
}

/** Formats a problem as `FILE:LINE: key.path: found X, expected Y`, always one line. */
export function formatProblem(problem: Problem): string {
  const place = problem.line === undefined ? problem.file : `${problem.file}:${problem.line}`;
  const key = problem.key === undefined ? '' : `${problem.key}: `;
  return oneLine(`${place}: ${key}found ${problem.found}, expected ${problem.expected}`);
}

/** A configuration that is not usable. `problems` has a line for each error, in the order of the file. */
export class ConfigError extends Error {
  readonly code = 'invalid_config';
  readonly problems: readonly string[];

  constructor(problems: readonly Problem[]) {
    const lines = problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)).map(formatProblem);
    super(lines.join('\n'));
    this.name = 'ConfigError';
    this.problems = lines;
  }
}

const SHOWN_CHARACTERS = 80;

/** Formats a value for an error: short, on one line, with user names and passwords in URLs masked. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  const masked = value.replace(/\/\/[^/\s]*@/g, '//***@');
  const shown = masked.length > SHOWN_CHARACTERS ? `${masked.slice(0, SHOWN_CHARACTERS)}...` : masked;
  return JSON.stringify(shown);
}

/** Formats a secret for an error: its type, never its text. */
export function showSecret(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : `a ${typeof value} (not shown)`;
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
}
