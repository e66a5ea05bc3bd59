import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { AddCredentialStep, CredentialKind } from '../store.ts';
import type { AccountRow } from './rows.ts';

/** A row of `pass`. */
export interface CredentialRow {
  hash: Uint8Array;
  kind: string;
  account: number;
  created_at: number;
  expires_at: number;
}

/** Expired credentials that one step removes at most. */
const FORGET_LIMIT = 10_000;

/** Sessions, sign-in links and tickets. */
export class CredentialTable {
  private readonly insert: StatementSync;
  private readonly findStatement: StatementSync;
  private readonly ofAccountStatement: StatementSync;
  private readonly count: StatementSync;
  private readonly renewStatement: StatementSync;
  private readonly deleteStatement: StatementSync;
  private readonly deleteFirst: StatementSync;
  private readonly deleteAllStatement: StatementSync;
  private readonly deleteOver: StatementSync;

  constructor(database: DatabaseSync) {
    this.insert = database.prepare(
      'INSERT INTO pass (hash, kind, account, created_at, expires_at) VALUES (?, ?, ?, ?, ?)',
    );
    this.findStatement = database.prepare(
      'SELECT * FROM pass WHERE hash = ? AND kind = ? AND expires_at > ?',
    );
    this.ofAccountStatement = database.prepare(
      'SELECT * FROM pass WHERE account = ? AND kind = ? ORDER BY created_at, expires_at',
    );
    this.count = database.prepare('SELECT count(*) AS count FROM pass WHERE account = ? AND kind = ?');
    this.renewStatement = database.prepare(
      'UPDATE pass SET expires_at = ? WHERE hash = ? AND kind = ? AND expires_at > ?',
    );
    this.deleteStatement = database.prepare('DELETE FROM pass WHERE hash = ? AND kind = ?');
    this.deleteFirst = database.prepare(
      `DELETE FROM pass WHERE hash IN
       (SELECT hash FROM pass WHERE account = ? AND kind = ? ORDER BY expires_at LIMIT ?)`,
    );
    this.deleteAllStatement = database.prepare('DELETE FROM pass WHERE account = ?');
    this.deleteOver = database.prepare(
      'DELETE FROM pass WHERE hash IN (SELECT hash FROM pass WHERE expires_at <= ? LIMIT ?)',
    );
  }

  add(account: AccountRow, { kind, hash, nowMs, expiresAtMs, limit }: AddCredentialStep): void {
    const count = this.count.get(account.number, kind)!['count'] as number;
    if (count >= limit) this.deleteFirst.run(account.number, kind, count + 1 - limit);
    this.insert.run(hash, kind, account.number, nowMs, expiresAtMs);
  }

  find(kind: CredentialKind, hash: Uint8Array, nowMs: number): CredentialRow | undefined {
    return this.findStatement.get(hash, kind, nowMs) as unknown as CredentialRow | undefined;
  }

  /** Ordered by creation. */
  ofAccount(account: AccountRow, kind: CredentialKind): CredentialRow[] {
    return this.ofAccountStatement.all(account.number, kind) as unknown as CredentialRow[];
  }

  renew(kind: CredentialKind, hash: Uint8Array, nowMs: number, expiresAtMs: number): boolean {
    return this.renewStatement.run(expiresAtMs, hash, kind, nowMs).changes === 1;
  }

  delete(kind: CredentialKind, hash: Uint8Array): boolean {
    return this.deleteStatement.run(hash, kind).changes === 1;
  }

  deleteAll(account: AccountRow): void {
    this.deleteAllStatement.run(account.number);
  }

  forget(nowMs: number): void {
    this.deleteOver.run(nowMs, FORGET_LIMIT);
  }
}
