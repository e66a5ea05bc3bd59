/**
 * One thing wrong with the catalog or with what it is built from.
 *
 * A `fault` keeps the catalog from being used; a `warning` is said and lived with.
 */
export interface Fault {
  readonly severity: 'fault' | 'warning';
  readonly file: string;
  /** Counted from 1; null where the file has no such line. */
  readonly line: number | null;
  /** Path of the key, `names[3]`; empty for the file as a whole. */
  readonly path: string;
  readonly found: string;
  readonly expected: string;
}

/** One line: file, path of the key, what was found, what was expected. */
export function formatFault(fault: Fault): string {
  const place = fault.line === null ? fault.file : `${fault.file}:${fault.line}`;
  const path = fault.path === '' ? '' : ` ${fault.path}:`;
  const label = fault.severity === 'warning' ? ' warning:' : '';
  return `${place}:${label}${path} found ${fault.found}, expected ${fault.expected}`;
}

export function hasFaults(faults: readonly Fault[]): boolean {
  return faults.some((fault) => fault.severity === 'fault');
}

const LONGEST_VALUE = 80;

/** A value as a fault shows it: short, on one line. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}...` : text;
}
