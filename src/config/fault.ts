/** One thing that is wrong in a configuration: where, what was found, what was expected. */
export interface Fault {
  readonly file: string;
  /** From 1; left out where no line can be named. */
  readonly line?: number | undefined;
  /** The path of the key, such as `dns.udp[0]`; left out for the file as a whole. */
  readonly key?: string | undefined;
  readonly found: string;
  readonly expected: string;
}

/** `FILE:LINE: key.path: found X, expected Y`, always one line. */
export function formatFault(fault: Fault): string {
  const place = fault.line === undefined ? fault.file : `${fault.file}:${fault.line}`;
  const key = fault.key === undefined ? '' : `${fault.key}: `;
  return oneLine(`${place}: ${key}found ${fault.found}, expected ${fault.expected}`);
}

/** A configuration that cannot be used. `faults` holds every fault, in the order of the file's lines. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_FAULTS';
  readonly faults: readonly string[];

  constructor(faults: readonly Fault[]) {
    const lines = faults.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)).map(formatFault);
    super(lines.join('\n'));
    this.name = 'ConfigError';
    this.faults = lines;
  }
}

const SHOWN_CHARACTERS = 80;

/** A value as a fault shows it: short, on one line, user names and passwords in URLs masked. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  const masked = value.replace(/\/\/[^/\s]*@/g, '//***@');
  const shown = masked.length > SHOWN_CHARACTERS ? `${masked.slice(0, SHOWN_CHARACTERS)}...` : masked;
  return JSON.stringify(shown);
}

/** What stands in a fault in place of a secret: its kind, never its text. */
export function showSecret(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : `a ${typeof value} (not shown)`;
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
}
