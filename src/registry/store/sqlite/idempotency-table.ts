import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type IdempotencyMark, MAX_IDEMPOTENCY_KEYS_PER_ACCOUNT } from '../store.ts';
import type { RegistrationRow } from './rows.ts';

export interface IdempotencyRow {
  account: number;
  fingerprint: Uint8Array;
  outcome: string;
  registration: string | null;
  created_at: number | null;
  lease_expires_at: number | null;
  expires_at: number;
}

/** Expired marks that one step removes at most. */
const FORGET_LIMIT = 10_000;

export class IdempotencyTable {
  private readonly endsStatement: StatementSync;
  private readonly findStatement: StatementSync;
  private readonly count: StatementSync;
  private readonly insert: StatementSync;
  private readonly deleteOldest: StatementSync;
  private readonly delete: StatementSync;
  private readonly deleteOver: StatementSync;

  constructor(database: DatabaseSync) {
    this.endsStatement = database.prepare(
      'SELECT expires_at FROM idempotency WHERE account = ? ORDER BY expires_at',
    );
    this.findStatement = database.prepare('SELECT * FROM idempotency WHERE key = ?');
    this.count = database.prepare('SELECT count(*) AS count FROM idempotency WHERE account = ?');
    this.insert = database.prepare(
      `INSERT INTO idempotency
       (key, account, fingerprint, outcome, registration, created_at, lease_expires_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.deleteOldest = database.prepare(
      `DELETE FROM idempotency WHERE key IN
       (SELECT key FROM idempotency WHERE account = ? ORDER BY expires_at LIMIT ?)`,
    );
    this.delete = database.prepare('DELETE FROM idempotency WHERE key = ?');
    this.deleteOver = database.prepare(
      'DELETE FROM idempotency WHERE key IN (SELECT key FROM idempotency WHERE expires_at <= ? LIMIT ?)',
    );
  }

  /** Finds the unexpired first call with this mark's key; 'key-reused' if its body differs. */
  find(mark: IdempotencyMark | null, nowMs: number): IdempotencyRow | 'key-reused' | null {
    if (mark === null) return null;
    const row = this.findStatement.get(mark.key) as unknown as IdempotencyRow | undefined;
    if (row === undefined || row.expires_at <= nowMs) return null;
    return Buffer.compare(row.fingerprint, mark.fingerprint) === 0 ? row : 'key-reused';
  }

  keep(
    mark: IdempotencyMark | null,
    account: number,
    outcome: string,
    registration: RegistrationRow | null,
  ): void {
    const { id = null, created_at = null, expires_at = null } = registration ?? {};
    this.keepStatement(mark, account, outcome, [id, created_at, expires_at]);
  }

  /** Keeps the mark of a call that made something other than a registration. */
  keepId(mark: IdempotencyMark | null, account: number, id: string): void {
    this.keepStatement(mark, account, 'created', [id, null, null]);
  }

  private keepStatement(
    mark: IdempotencyMark | null,
    account: number,
    outcome: string,
    made: [id: string | null, createdAt: number | null, leaseExpiresAt: number | null],
  ): void {
    if (mark === null) return;
    this.delete.run(mark.key);
    const count = this.count.get(account)!['count'] as number;
    const excess = count + 1 - MAX_IDEMPOTENCY_KEYS_PER_ACCOUNT;
    if (excess > 0) this.deleteOldest.run(account, excess);
    this.insert.run(mark.key, account, mark.fingerprint, outcome, ...made, mark.expiresAtMs);
  }

  /** Lists the ends of an account's marks, the first first. */
  ends(account: number): number[] {
    return this.endsStatement.all(account).map((row) => row['expires_at'] as number);
  }

  forget(nowMs: number): void {
    this.deleteOver.run(nowMs, FORGET_LIMIT);
  }
}
