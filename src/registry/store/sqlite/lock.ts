import { DatabaseSync } from 'node:sqlite';
import { StoreLockedError, StoreUnavailableError } from '../../errors.ts';
import { makeFile } from '../private-files.ts';
import { SqliteCode, sqliteCode } from './sqlite-error.ts';

/**
 * Locks the data directory for this process. The kernel holds the lock, so it ends with the process. It is SQLite's
 * lock on a file of its own, because Node has no file locks; the database stays open to readers (the snapshot's
 * connection, a backup).
 *
 * @returns the function that unlocks
 * @throws StoreLockedError, StoreUnavailableError
 */
export function takeLock(path: string, dataDir: string): () => void {
  makeFile(path);
  const lock = new DatabaseSync(path, { timeout: 0 });
  try {
    // Nothing is ever written to the file; a journal in memory leaves no second file.
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    const code = sqliteCode(error);
    if (code === SqliteCode.BUSY) throw new StoreLockedError(`${dataDir}: another process is using it`);
    throw new StoreUnavailableError(`${path}: cannot be locked (SQLite code ${code})`);
  }
  return () => lock.close();
}
