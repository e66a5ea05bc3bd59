import { DatabaseSync } from 'node:sqlite';
import { StoreLockedError, StoreUnavailableError } from '../../errors.ts';
import { SqliteCode, sqliteCode } from './fault.ts';
import { makeFile } from './make-file.ts';

/**
 * Takes the data directory for this process: an exclusive lock on a file of its own, held by the kernel, so that it
 * ends with the process however that ends. It is SQLite's lock because node has no other; the database itself
 * stays open to readers (the snapshot's own connection, a backup).
 *
 * @returns what gives it back.
 * @throws StoreLocked, StoreUnavailable
 */
export function takeLock(path: string, dataDir: string): () => void {
  makeFile(path);
  const lock = new DatabaseSync(path, { timeout: 0 });
  try {
    // Nothing is ever written to the file: a journal beside it would only be left over.
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    const code = sqliteCode(error);
    if (code === SqliteCode.BUSY) throw new StoreLockedError(`${dataDir}: another process is using it`);
    throw new StoreUnavailableError(`${path}: cannot be locked (SQLite code ${code})`);
  }
  return () => lock.close();
}
