import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { dayOf } from '../../days.ts';
import type { ChangePrivateNameStep, PrivateNameRecord } from '../store.ts';
import type { AccountRow } from './rows.ts';

export interface PrivateNameRow {
  number: number;
  id: string;
  account: number;
  hash: Uint8Array;
  label: string;
  home_only: number;
  created_at: number;
  /** Ids of the registrations that the name made last, by family; they may have ended. */
  ipv4: string | null;
  ipv6: string | null;
}

export class PrivateNameTable {
  private readonly insertStatement: StatementSync;
  private readonly ofAccountStatement: StatementSync;
  private readonly byIdStatement: StatementSync;
  private readonly findStatement: StatementSync;
  private readonly changeStatement: StatementSync;
  private readonly holdStatements: Readonly<Record<4 | 6, StatementSync>>;
  private readonly deleteStatement: StatementSync;

  constructor(database: DatabaseSync) {
    this.insertStatement = database.prepare(
      'INSERT INTO private_name (id, account, hash, label, home_only, created_at) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.ofAccountStatement = database.prepare(
      'SELECT * FROM private_name WHERE account = ? ORDER BY number',
    );
    this.byIdStatement = database.prepare('SELECT * FROM private_name WHERE account = ? AND id = ?');
    this.findStatement = database.prepare('SELECT * FROM private_name WHERE hash = ?');
    this.changeStatement = database.prepare(
      'UPDATE private_name SET hash = ?, label = ?, home_only = ? WHERE number = ? RETURNING *',
    );
    this.holdStatements = {
      4: database.prepare('UPDATE private_name SET ipv4 = ? WHERE number = ?'),
      6: database.prepare('UPDATE private_name SET ipv6 = ? WHERE number = ?'),
    };
    this.deleteStatement = database.prepare('DELETE FROM private_name WHERE number = ?');
  }

  insert(
    account: AccountRow,
    { id, label, homeOnly, createdAtMs }: PrivateNameRecord,
    hash: Uint8Array,
  ): void {
    this.insertStatement.run(id, account.number, hash, label, Number(homeOnly), dayOf(createdAtMs));
  }

  /** Ordered by creation. */
  ofAccount(account: AccountRow): PrivateNameRow[] {
    return this.ofAccountStatement.all(account.number) as unknown as PrivateNameRow[];
  }

  byId(account: AccountRow, id: string): PrivateNameRow | undefined {
    return this.byIdStatement.get(account.number, id) as unknown as PrivateNameRow | undefined;
  }

  find(hash: Uint8Array): PrivateNameRow | undefined {
    return this.findStatement.get(hash) as unknown as PrivateNameRow | undefined;
  }

  change(
    row: PrivateNameRow,
    { hash, label, homeOnly }: Pick<ChangePrivateNameStep, 'hash' | 'label' | 'homeOnly'>,
  ): PrivateNameRow {
    return this.changeStatement.get(
      hash ?? row.hash,
      label ?? row.label,
      homeOnly === undefined ? row.home_only : Number(homeOnly),
      row.number,
    ) as unknown as PrivateNameRow;
  }

  /** Notes the registration that the name has made. */
  hold(row: PrivateNameRow, family: 4 | 6, registrationId: string): void {
    this.holdStatements[family].run(registrationId, row.number);
  }

  delete(row: PrivateNameRow): void {
    this.deleteStatement.run(row.number);
  }
}

export function privateNameRecord(row: PrivateNameRow): PrivateNameRecord {
  return {
    id: row.id,
    label: row.label,
    homeOnly: row.home_only === 1,
    createdAtMs: row.created_at,
    held: [row.ipv4, row.ipv6].filter((id) => id !== null),
  };
}
