import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { checkHeader } from './header.ts';
import { SqliteCode, sqliteCode } from './sqlite-error.ts';

/** Words for the operator, by SQLite's result codes. */
const CAUSES: Readonly<Record<number, string>> = {
  8: 'read-only',
  10: 'io-error',
  11: 'damaged',
  13: 'disk-full',
  14: 'cannot-open',
  26: 'damaged',
};

/** Locks that a backup or a snapshot holds for a moment. */
const PASSING: readonly number[] = [SqliteCode.BUSY, 6];

/**
 * Knows whether the database can be written: from the errors of steps, and by looking at the file itself. A file that
 * was deleted or replaced accepts writes that nobody finds again, so it counts as failing too.
 */
export class FileHealth {
  private readonly path: string;
  private readonly inode: number;
  private readonly onChange: (cause: string | null) => void;
  private current: string | null = null;

  /** @param onChange called when the cause changes; null: the file is in order again */
  constructor(path: string, onChange: (cause: string | null) => void) {
    this.path = path;
    this.inode = statSync(path).ino;
    this.onChange = onChange;
  }

  /** Why the file cannot be used; null: it can. */
  get cause(): string | null {
    return this.current;
  }

  /** Looks at the file's name: returns the cause if it is not the opened file any longer. */
  checkName(): string | null {
    const found = statSync(this.path, { throwIfNoEntry: false });
    if (found === undefined) this.set('file-deleted');
    else if (found.ino !== this.inode) this.set('file-replaced');
    else if (this.current?.startsWith('file-')) this.set(null);
    return this.current?.startsWith('file-') ? this.current : null;
  }

  /** Notes the error of a step; errors that do not concern the file are ignored. */
  note(error: unknown): void {
    const code = sqliteCode(error);
    if (code === null || PASSING.includes(code) || CAUSES[code] === undefined) return;
    this.set(`${CAUSES[code]} (SQLite code ${code})`);
  }

  /** Examines the file, and tries a write if one has failed: a full disk recovers by itself, damage does not. */
  examine(database: DatabaseSync): void {
    if (this.checkName() !== null) return;
    try {
      checkHeader(this.path, Number.MAX_SAFE_INTEGER);
    } catch {
      this.set('damaged (header)');
    }
    if (this.current === null || this.current.startsWith('damaged')) return;
    try {
      database.exec('BEGIN IMMEDIATE; UPDATE state SET renewal = renewal WHERE id = 1; COMMIT');
      this.set(null);
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      this.note(error);
    }
  }

  private set(cause: string | null): void {
    if (cause === this.current) return;
    this.current = cause;
    this.onChange(cause);
  }
}
