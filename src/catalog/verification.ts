/**
 * Evidence that the names of a service are right, the weakest first:
 * - false: written from knowledge, nobody looked;
 * - imported: taken from a maintained list;
 * - checked DATE: every name answered through a relay that day (`check-service`);
 * - tried DATE: a person watched a title that day.
 */
export type Verification = false | 'imported' | `checked ${string}` | `tried ${string}`;

/** For findings. */
export const VERIFICATION_FORM = 'imported, checked DATE, tried DATE or false; DATE as 2026-11-30';

const DATED = /^(?:checked|tried) (\d{4}-\d{2}-\d{2})$/;

/** Parses the value of a catalog file; null for any other text. `true` is that of older files. */
export function parseVerification(value: unknown): Verification | null {
  if (value === true || value === 'imported') return 'imported';
  if (value === false) return false;
  const date = typeof value === 'string' ? DATED.exec(value)?.[1] : undefined;
  return date !== undefined && isDay(date) ? (value as Verification) : null;
}

/** True for a day of the calendar: not 2026-02-30. */
export function isDay(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}
