import type { DatabaseSync, StatementSync } from 'node:sqlite';
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
  readonly #insert: StatementSync;
  readonly #ofAccount: StatementSync;
  readonly #count: StatementSync;
  readonly #find: StatementSync;
  readonly #setHash: StatementSync;
  readonly #delete: StatementSync;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(
      'INSERT INTO update_token (id, account, hash, label, created_at) VALUES (?, ?, ?, ?, ?)',
    );
    this.#ofAccount = database.prepare('SELECT * FROM update_token WHERE account = ? ORDER BY number');
    this.#count = database.prepare('SELECT count(*) AS count FROM update_token WHERE account = ?');
    this.#find = database.prepare('SELECT * FROM update_token WHERE hash = ?');
    this.#setHash = database.prepare(
      'UPDATE update_token SET hash = ? WHERE account = ? AND id = ? RETURNING *',
    );
    this.#delete = database.prepare('DELETE FROM update_token WHERE account = ? AND id = ?');
  }

  insert(account: AccountRow, token: UpdateTokenRecord, hash: Uint8Array): void {
    this.#insert.run(token.id, account.number, hash, token.label, token.createdAtMs);
  }

  count(account: AccountRow): number {
    return this.#count.get(account.number)!['count'] as number;
  }

  /** The first made first. */
  ofAccount(account: AccountRow): UpdateTokenRecord[] {
    const rows = this.#ofAccount.all(account.number) as unknown as UpdateTokenRow[];
    return rows.map(recordOf);
  }

  /** @returns the token; undefined where it is gone. */
  setHash(account: AccountRow, id: string, hash: Uint8Array): UpdateTokenRecord | undefined {
    const row = this.#setHash.get(hash, account.number, id) as unknown as UpdateTokenRow | undefined;
    return row && recordOf(row);
  }

  find(hash: Uint8Array): UpdateTokenRow | undefined {
    return this.#find.get(hash) as unknown as UpdateTokenRow | undefined;
  }

  delete(account: AccountRow, id: string): boolean {
    return this.#delete.run(account.number, id).changes > 0;
  }
}

function recordOf({ id, label, created_at }: UpdateTokenRow): UpdateTokenRecord {
  return { id, label, createdAtMs: created_at };
}
