import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { dayOf } from '../../days.ts';
import type { UpdateTokenRecord } from '../store.ts';
import type { AccountRow } from './rows.ts';

interface UpdateTokenRow {
  id: string;
  account: number;
  hash: Uint8Array;
  label: string;
  created_at: number;
}

export class UpdateTokenTable {
  private readonly insertStatement: StatementSync;
  private readonly ofAccountStatement: StatementSync;
  private readonly countStatement: StatementSync;
  private readonly findStatement: StatementSync;
  private readonly setHashStatement: StatementSync;
  private readonly deleteStatement: StatementSync;
  private readonly deleteAllStatement: StatementSync;

  constructor(database: DatabaseSync) {
    this.insertStatement = database.prepare(
      'INSERT INTO update_token (id, account, hash, label, created_at) VALUES (?, ?, ?, ?, ?)',
    );
    this.ofAccountStatement = database.prepare(
      'SELECT * FROM update_token WHERE account = ? ORDER BY number',
    );
    this.countStatement = database.prepare('SELECT count(*) AS count FROM update_token WHERE account = ?');
    this.findStatement = database.prepare('SELECT * FROM update_token WHERE hash = ?');
    this.setHashStatement = database.prepare(
      'UPDATE update_token SET hash = ? WHERE account = ? AND id = ? RETURNING *',
    );
    this.deleteStatement = database.prepare('DELETE FROM update_token WHERE account = ? AND id = ?');
    this.deleteAllStatement = database.prepare('DELETE FROM update_token WHERE account = ?');
  }

  insert(account: AccountRow, token: UpdateTokenRecord, hash: Uint8Array): void {
    this.insertStatement.run(token.id, account.number, hash, token.label, dayOf(token.createdAtMs));
  }

  count(account: AccountRow): number {
    return this.countStatement.get(account.number)!['count'] as number;
  }

  /** Ordered by creation. */
  ofAccount(account: AccountRow): UpdateTokenRecord[] {
    const rows = this.ofAccountStatement.all(account.number) as unknown as UpdateTokenRow[];
    return rows.map(recordOf);
  }

  /** Returns the token; undefined if it was removed. */
  setHash(account: AccountRow, id: string, hash: Uint8Array): UpdateTokenRecord | undefined {
    const row = this.setHashStatement.get(hash, account.number, id) as unknown as UpdateTokenRow | undefined;
    return row && recordOf(row);
  }

  find(hash: Uint8Array): UpdateTokenRow | undefined {
    return this.findStatement.get(hash) as unknown as UpdateTokenRow | undefined;
  }

  delete(account: AccountRow, id: string): boolean {
    return this.deleteStatement.run(account.number, id).changes > 0;
  }

  deleteAll(account: AccountRow): void {
    this.deleteAllStatement.run(account.number);
  }
}

function recordOf({ id, label, created_at }: UpdateTokenRow): UpdateTokenRecord {
  return { id, label, createdAtMs: created_at };
}
