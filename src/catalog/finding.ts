/**
 * One thing to say about the catalog or its sources. An error keeps the catalog from being used; info is as expected with
 * the shipped catalog.
 */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'info';
  readonly file: string;
  /** Counted from 1; null if no line can be named. */
  readonly line: number | null;
  /** Path of the key, `names[3]`; empty for the file as a whole. */
  readonly path: string;
  readonly found: string;
  readonly expected: string;
}

/** One line: file, path of the key, what was found, what was expected. */
export function formatFinding(finding: Finding): string {
  const place = finding.line === null ? finding.file : `${finding.file}:${finding.line}`;
  const path = finding.path === '' ? '' : ` ${finding.path}:`;
  const label = finding.severity === 'warning' ? ' warning:' : '';
  return `${place}:${label}${path} found ${finding.found}, expected ${finding.expected}`;
}

export function hasErrors(findings: readonly Finding[]): boolean {
  return findings.some((finding) => finding.severity === 'error');
}

const LONGEST_VALUE = 80;

/** Formats a value for a finding: short, on one line. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}...` : text;
}
