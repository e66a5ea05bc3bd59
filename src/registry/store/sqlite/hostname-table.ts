import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { dayOf } from '../../days.ts';
import type { HostnameState } from '../../types.ts';
import type { AddHostnameStep, HostnameRecord } from '../store.ts';
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
  /** JSON: keys of prefixes, hexadecimal, that the name may not register before it moves. */
  barred: string;
}

export class HostnameTable {
  private readonly insertStatement: StatementSync;
  private readonly ofAccountStatement: StatementSync;
  private readonly byIdStatement: StatementSync;
  private readonly dueStatement: StatementSync;
  private readonly settleStatement: StatementSync;
  private readonly barStatement: StatementSync;
  private readonly deleteStatement: StatementSync;

  constructor(database: DatabaseSync) {
    this.insertStatement = database.prepare(
      `INSERT INTO hostname (id, account, hostname, state, created_at, checked_at, next_at)
       VALUES (?, ?, ?, 'waiting', ?, NULL, ?) RETURNING *`,
    );
    this.ofAccountStatement = database.prepare('SELECT * FROM hostname WHERE account = ? ORDER BY number');
    this.byIdStatement = database.prepare('SELECT * FROM hostname WHERE account = ? AND id = ?');
    this.dueStatement = database.prepare(
      'SELECT * FROM hostname WHERE next_at <= ? ORDER BY next_at LIMIT ?',
    );
    this.settleStatement = database.prepare(
      'UPDATE hostname SET state = ?, checked_at = ?, next_at = ?, barred = ? WHERE number = ?',
    );
    this.barStatement = database.prepare(
      "UPDATE hostname SET barred = json_insert(barred, '$[#]', ?) WHERE account = ? AND hostname = ?",
    );
    this.deleteStatement = database.prepare('DELETE FROM hostname WHERE number = ?');
  }

  insert(account: AccountRow, { id, hostname, nowMs }: AddHostnameStep): HostnameRow {
    return this.insertStatement.get(
      id,
      account.number,
      hostname,
      dayOf(nowMs),
      nowMs,
    ) as unknown as HostnameRow;
  }

  /** Ordered by creation. */
  ofAccount(account: AccountRow): HostnameRow[] {
    return this.ofAccountStatement.all(account.number) as unknown as HostnameRow[];
  }

  byId(account: AccountRow, id: string): HostnameRow | undefined {
    return this.byIdStatement.get(account.number, id) as unknown as HostnameRow | undefined;
  }

  due(nowMs: number, limit: number): HostnameRow[] {
    return this.dueStatement.all(nowMs, limit) as unknown as HostnameRow[];
  }

  settle(
    row: HostnameRow,
    found: { state: HostnameState; barred: string },
    { nowMs, nextAtMs }: { nowMs: number; nextAtMs: number },
  ): void {
    this.settleStatement.run(found.state, dayOf(nowMs), nextAtMs, found.barred, row.number);
  }

  /** Keeps the name from registering a prefix again before it moves. */
  bar(account: number, hostname: string, key: Uint8Array): void {
    this.barStatement.run(Buffer.from(key).toString('hex'), account, hostname);
  }

  delete(row: HostnameRow): void {
    this.deleteStatement.run(row.number);
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
