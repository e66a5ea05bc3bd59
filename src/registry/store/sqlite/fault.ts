import { RegistryError, StoreCorruptError, StoreUnavailableError } from '../../errors.ts';

/** Result codes of SQLite (sqlite.org/rescode.html): the low byte of an extended code. */
export const SqliteCode = { BUSY: 5, CORRUPT: 11, NOTADB: 26 } as const;

/** The result code of a fault that node:sqlite threw; null if it did not come from SQLite. */
export function sqliteCode(fault: unknown): number | null {
  const code = (fault as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : null;
}

/**
 * What a caller is told of a fault met in a step. SQLite's own words are left out: they may hold values.
 * A fault that is none of SQLite's is a programmer's and is told by its class alone.
 */
export function registryFault(fault: unknown): RegistryError {
  if (fault instanceof RegistryError) return fault;
  const code = sqliteCode(fault);
  if (code === SqliteCode.CORRUPT || code === SqliteCode.NOTADB) {
    return new StoreCorruptError(
      `the store's file is damaged (SQLite code ${code}); restore it from a backup`,
    );
  }
  if (code !== null) return new StoreUnavailableError(`the store could not do it (SQLite code ${code})`);
  const name = fault instanceof Error ? fault.name : typeof fault;
  return new StoreUnavailableError(`the store could not do it (${name})`);
}
