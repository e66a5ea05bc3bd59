import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { dayOf } from '../../days.ts';
import type { AccountRecord, UpdateAccountStep } from '../store.ts';
import type { AccountRow } from './rows.ts';

export class AccountTable {
  private readonly insertStatement: StatementSync;
  private readonly byIdStatement: StatementSync;
  private readonly byNumberStatement: StatementSync;
  private readonly bySecretStatement: StatementSync;
  private readonly pageStatement: StatementSync;
  private readonly updateStatement: StatementSync;
  private readonly setSecretStatement: StatementSync;
  private readonly setCounts: StatementSync;
  private readonly deleteStatement: StatementSync;

  constructor(database: DatabaseSync) {
    this.insertStatement = database.prepare(
      `INSERT INTO account (id, secret_hash, region, per_account, suspended, services, created_at, active_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.byIdStatement = database.prepare('SELECT * FROM account WHERE id = ?');
    this.byNumberStatement = database.prepare('SELECT * FROM account WHERE number = ?');
    this.bySecretStatement = database.prepare('SELECT * FROM account WHERE secret_hash = ?');
    this.pageStatement = database.prepare('SELECT * FROM account WHERE id > ? ORDER BY id LIMIT ?');
    this.updateStatement = database.prepare(
      'UPDATE account SET region = ?, per_account = ?, suspended = ?, services = ? WHERE number = ?',
    );
    this.setSecretStatement = database.prepare('UPDATE account SET secret_hash = ? WHERE id = ?');
    this.setCounts = database.prepare('UPDATE account SET ipv4 = ?, ipv6 = ? WHERE number = ?');
    this.deleteStatement = database.prepare('DELETE FROM account WHERE number = ?');
  }

  /** Returns the row's number. */
  insert(account: AccountRecord, secretHash: Uint8Array): number {
    const { lastInsertRowid } = this.insertStatement.run(
      account.id,
      secretHash,
      account.region,
      account.perAccount,
      Number(account.suspended),
      JSON.stringify(account.services),
      dayOf(account.createdAtMs),
      dayOf(account.createdAtMs),
    );
    return Number(lastInsertRowid);
  }

  byId(id: string): AccountRow | undefined {
    return this.byIdStatement.get(id) as unknown as AccountRow | undefined;
  }

  byNumber(number: number): AccountRow {
    return this.byNumberStatement.get(number) as unknown as AccountRow;
  }

  bySecret(secretHash: Uint8Array): AccountRow | undefined {
    return this.bySecretStatement.get(secretHash) as unknown as AccountRow | undefined;
  }

  page(after: string | null, limit: number): AccountRow[] {
    return this.pageStatement.all(after ?? '', limit) as unknown as AccountRow[];
  }

  /** Writes the fields of `change` to the row and to the table. */
  update(row: AccountRow, change: UpdateAccountStep): void {
    row.region = change.region ?? row.region;
    row.per_account = change.perAccount ?? row.per_account;
    row.suspended = change.suspended === undefined ? row.suspended : Number(change.suspended);
    row.services = change.services === undefined ? row.services : JSON.stringify(change.services);
    this.updateStatement.run(row.region, row.per_account, row.suspended, row.services, row.number);
  }

  setSecret(id: string, secretHash: Uint8Array): boolean {
    return this.setSecretStatement.run(secretHash, id).changes === 1;
  }

  /** Counts one more or one less registration of a family, in the row and in the table. */
  count(row: AccountRow, family: number, by: 1 | -1): void {
    if (family === 4) row.ipv4 += by;
    else row.ipv6 += by;
    this.setCounts.run(row.ipv4, row.ipv6, row.number);
  }

  /** Deletes the account with everything that refers to it. */
  delete(row: AccountRow): void {
    this.deleteStatement.run(row.number);
  }
}
