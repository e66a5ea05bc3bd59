import { RegistryError, StoreCorruptError, StoreUnavailableError } from '../../errors.ts';

/** Result codes of SQLite (sqlite.org/rescode.html): the low byte of an extended code. */
export const SqliteCode = { BUSY: 5, CORRUPT: 11, NOTADB: 26 } as const;

/** The result code of an error from node:sqlite; null for other errors. */
export function sqliteCode(error: unknown): number | null {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : null;
}

/**
 * Converts an error of a step into the registry's. SQLite's own message is left out: it may hold values. Errors from
 * elsewhere are bugs; only their class is shown.
 */
export function toRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  const code = sqliteCode(error);
  if (code === SqliteCode.CORRUPT || code === SqliteCode.NOTADB) {
    return new StoreCorruptError(`the database file is damaged (SQLite code ${code}); restore a backup`);
  }
  if (code !== null)
    return new StoreUnavailableError(`the store could not write or read (SQLite code ${code})`);
  const name = error instanceof Error ? error.name : typeof error;
  return new StoreUnavailableError(`the store failed (${name})`);
}
