import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { dayOf } from '../../days.ts';
import type { AccountRecord, UpdateAccountStep } from '../store.ts';
import type { AccountRow } from './rows.ts';

type NewAccount = Omit<AccountRecord, 'activeAtMs' | 'keep'> &
  Partial<Pick<AccountRecord, 'activeAtMs' | 'keep'>>;

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
  private readonly setActive: StatementSync;
  private readonly noticeStatement: StatementSync;
  private readonly forgetNotices: StatementSync;
  private readonly lapsingStatement: StatementSync;

  constructor(database: DatabaseSync) {
    this.insertStatement = database.prepare(
      `INSERT INTO account (id, secret_hash, region, per_account, suspended, services, created_at, active_at, keep)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.byIdStatement = database.prepare('SELECT * FROM account WHERE id = ?');
    this.byNumberStatement = database.prepare('SELECT * FROM account WHERE number = ?');
    this.bySecretStatement = database.prepare('SELECT * FROM account WHERE secret_hash = ?');
    this.pageStatement = database.prepare('SELECT * FROM account WHERE id > ? ORDER BY id LIMIT ?');
    this.updateStatement = database.prepare(
      `UPDATE account SET region = ?, per_account = ?, suspended = ?, services = ?, keep = ?,
         erases_at = iif(?5, NULL, erases_at) WHERE number = ?`,
    );
    this.setSecretStatement = database.prepare('UPDATE account SET secret_hash = ? WHERE id = ?');
    this.setCounts = database.prepare('UPDATE account SET ipv4 = ?, ipv6 = ? WHERE number = ?');
    this.deleteStatement = database.prepare('DELETE FROM account WHERE number = ?');
    this.setActive = database.prepare(
      `UPDATE account SET active_at = ?1, erases_at = NULL
       WHERE number = ?2 AND (active_at < ?1 OR erases_at IS NOT NULL)`,
    );
    this.noticeStatement = database.prepare(
      `UPDATE account SET erases_at = max(active_at + ?2, ?3) WHERE number IN
       (SELECT number FROM account WHERE keep = 0 AND active_at <= ?1 AND erases_at IS NULL LIMIT ?4)`,
    );
    this.forgetNotices = database.prepare('UPDATE account SET erases_at = NULL WHERE erases_at > ?');
    this.lapsingStatement = database.prepare(
      `SELECT * FROM account WHERE erases_at IS NOT NULL AND erases_at <= ? ORDER BY erases_at, id LIMIT ?`,
    );
  }

  /** Returns the row's number. */
  insert(account: NewAccount, secretHash: Uint8Array): number {
    const { lastInsertRowid } = this.insertStatement.run(
      account.id,
      secretHash,
      account.region,
      account.perAccount,
      Number(account.suspended),
      JSON.stringify(account.services),
      dayOf(account.createdAtMs),
      // Missing in an import from an earlier release: it counts from now.
      dayOf(account.activeAtMs ?? Date.now()),
      Number(account.keep ?? false),
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
    row.keep = change.keep === undefined ? row.keep : Number(change.keep);
    this.updateStatement.run(row.region, row.per_account, row.suspended, row.services, row.keep, row.number);
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

  /** Notes that the account registered an address: it does not lapse. */
  active(number: number, nowMs: number): void {
    this.setActive.run(dayOf(nowMs), number);
  }

  /** Sets the day of erasure of accounts that were last active up to a day. Returns how many. */
  notice(times: { activeUntilMs: number; lapseMs: number; firstMs: number }, limit: number): number {
    const { activeUntilMs, lapseMs, firstMs } = times;
    return Number(this.noticeStatement.run(activeUntilMs, lapseMs, firstMs, limit).changes);
  }

  forgetAllNotices(): void {
    this.forgetNotices.run(0);
  }

  clearNotice(row: AccountRow): void {
    this.setActive.run(row.active_at, row.number);
  }

  /** Lists accounts that are erased up to a day, the first first. */
  lapsing(untilMs: number, limit: number): AccountRow[] {
    return this.lapsingStatement.all(untilMs, limit) as unknown as AccountRow[];
  }

  /** Deletes the account with everything that refers to it. */
  delete(row: AccountRow): void {
    this.deleteStatement.run(row.number);
  }
}
