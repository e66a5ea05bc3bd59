import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { AddHostnameStep, HostnameRecord, HostnameState } from '../store.ts';
import type { AccountRow } from './rows.ts';

/** A row of `hostname`. */
export interface HostnameRow {
  number: number;
  id: string;
  account: number;
  hostname: string;
  state: string;
  created_at: number;
  checked_at: number | null;
  next_at: number;
}

export class HostnameTable {
  readonly #insert: StatementSync;
  readonly #ofAccount: StatementSync;
  readonly #byId: StatementSync;
  readonly #due: StatementSync;
  readonly #settle: StatementSync;
  readonly #delete: StatementSync;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(
      `INSERT INTO hostname (id, account, hostname, state, created_at, checked_at, next_at)
       VALUES (?, ?, ?, 'waiting', ?, NULL, ?) RETURNING *`,
    );
    this.#ofAccount = database.prepare('SELECT * FROM hostname WHERE account = ? ORDER BY number');
    this.#byId = database.prepare('SELECT * FROM hostname WHERE account = ? AND id = ?');
    this.#due = database.prepare('SELECT * FROM hostname WHERE next_at <= ? ORDER BY next_at LIMIT ?');
    this.#settle = database.prepare(
      'UPDATE hostname SET state = ?, checked_at = ?, next_at = ? WHERE number = ?',
    );
    this.#delete = database.prepare('DELETE FROM hostname WHERE number = ?');
  }

  insert(account: AccountRow, { id, hostname, nowMs }: AddHostnameStep): HostnameRow {
    return this.#insert.get(id, account.number, hostname, nowMs, nowMs) as unknown as HostnameRow;
  }

  /** The first made first. */
  ofAccount(account: AccountRow): HostnameRow[] {
    return this.#ofAccount.all(account.number) as unknown as HostnameRow[];
  }

  byId(account: AccountRow, id: string): HostnameRow | undefined {
    return this.#byId.get(account.number, id) as unknown as HostnameRow | undefined;
  }

  due(nowMs: number, limit: number): HostnameRow[] {
    return this.#due.all(nowMs, limit) as unknown as HostnameRow[];
  }

  settle(row: HostnameRow, state: HostnameState, nowMs: number, nextAtMs: number): void {
    this.#settle.run(state, nowMs, nextAtMs, row.number);
  }

  delete(row: HostnameRow): void {
    this.#delete.run(row.number);
  }
}

export function hostnameRecord(row: HostnameRow): HostnameRecord {
  return {
    id: row.id,
    hostname: row.hostname,
    state: row.state as HostnameState,
    createdAtMs: row.created_at,
    checkedAtMs: row.checked_at,
  };
}
