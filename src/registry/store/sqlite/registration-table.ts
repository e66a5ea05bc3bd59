import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { RegisterStep } from '../store.ts';
import type { AccountRow, RegistrationRow } from './rows.ts';

export class RegistrationTable {
  readonly #insert: StatementSync;
  readonly #find: StatementSync;
  readonly #byId: StatementSync;
  readonly #ofAccount: StatementSync;
  readonly #byAge: StatementSync;
  readonly #renew: StatementSync;
  readonly #setLive: StatementSync;
  readonly #labelled: StatementSync;
  readonly #over: StatementSync;
  readonly #delete: StatementSync;
  readonly #nextRenewal: StatementSync;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(
      `INSERT INTO registration (id, account, prefix, live, renewal, label, source, created_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *`,
    );
    this.#find = database.prepare('SELECT * FROM registration WHERE account = ? AND prefix = ?');
    this.#byId = database.prepare('SELECT * FROM registration WHERE account = ? AND id = ?');
    this.#ofAccount = database.prepare('SELECT * FROM registration WHERE account = ? ORDER BY number');
    this.#byAge = database.prepare('SELECT * FROM registration WHERE account = ? ORDER BY renewal');
    this.#renew = database.prepare(
      'UPDATE registration SET renewal = ?, label = ?, expires_at = ? WHERE number = ? RETURNING *',
    );
    this.#setLive = database.prepare('UPDATE registration SET live = ? WHERE account = ?');
    this.#labelled = database.prepare('SELECT * FROM registration WHERE account = ? AND label = ?');
    this.#over = database.prepare(
      'SELECT * FROM registration WHERE expires_at <= ? ORDER BY expires_at LIMIT ?',
    );
    this.#delete = database.prepare('DELETE FROM registration WHERE number = ?');
    this.#nextRenewal = database.prepare(
      'UPDATE state SET renewal = renewal + 1 WHERE id = 1 RETURNING renewal',
    );
  }

  insert(account: AccountRow, key: Uint8Array, step: RegisterStep): RegistrationRow {
    return this.#insert.get(
      step.id,
      account.number,
      key,
      1 - account.suspended,
      this.#renewal(),
      step.label ?? null,
      step.source,
      step.nowMs,
      step.expiresAtMs,
    ) as unknown as RegistrationRow;
  }

  renew(row: RegistrationRow, label: string | null | undefined, expiresAtMs: number): RegistrationRow {
    const kept = label === undefined ? row.label : label;
    return this.#renew.get(this.#renewal(), kept, expiresAtMs, row.number) as unknown as RegistrationRow;
  }

  find(account: AccountRow, key: Uint8Array): RegistrationRow | undefined {
    return this.#find.get(account.number, key) as unknown as RegistrationRow | undefined;
  }

  byId(account: AccountRow, id: string): RegistrationRow | undefined {
    return this.#byId.get(account.number, id) as unknown as RegistrationRow | undefined;
  }

  /** In the order in which they were first registered. */
  ofAccount(account: AccountRow): RegistrationRow[] {
    return this.#ofAccount.all(account.number) as unknown as RegistrationRow[];
  }

  /** The one with the oldest renewal first. */
  byAge(account: AccountRow): RegistrationRow[] {
    return this.#byAge.all(account.number) as unknown as RegistrationRow[];
  }

  labelled(account: AccountRow, label: string): RegistrationRow[] {
    return this.#labelled.all(account.number, label) as unknown as RegistrationRow[];
  }

  setLive(account: AccountRow, live: boolean): void {
    this.#setLive.run(Number(live), account.number);
  }

  /** Those whose lease is over. */
  over(nowMs: number, limit: number): RegistrationRow[] {
    return this.#over.all(nowMs, limit) as unknown as RegistrationRow[];
  }

  delete(row: RegistrationRow): void {
    this.#delete.run(row.number);
  }

  #renewal(): number {
    return this.#nextRenewal.get()!['renewal'] as number;
  }
}
