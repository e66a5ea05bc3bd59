import type { DatabaseSync } from 'node:sqlite';
import { formatPrefix } from '../../../net/index.ts';
import { dayOf, leaseEnd } from '../../days.ts';
import { StoreNotEmptyError } from '../../errors.ts';
import {
  type AccountTransfer,
  bytesOf,
  evidenceOf,
  hexOf,
  prefixOfText,
  type RegistrationTransfer,
  type StoreTransfer,
} from '../../transfer/account-transfer.ts';
import { EVIDENCE, evidenceRank } from '../evidence.ts';
import { prefixKey, prefixOfKey } from '../prefix-key.ts';
import { AccountTable } from './account-table.ts';
import { ChangeLog } from './change-log.ts';
import { openDatabase } from './database.ts';
import { Entries } from './entries.ts';

import { type AccountRow, accountRecord, type RegistrationRow, type Row } from './rows.ts';
import { toRegistryError } from './sqlite-error.ts';

/** Changes that an import leaves in the log: followers begin with a snapshot. */
const LOG_LIMIT = 1_000;

/**
 * Opens the store of a data directory for export or import, in this thread.
 *
 * @throws StoreLockedError while a service uses the directory; StoreUnavailableError, StoreCorruptError,
 * StoreVersionError
 */
export function openSqliteTransfer(dataDir: string, epoch: string): StoreTransfer {
  const { database, close } = openDatabase(dataDir, epoch);
  return {
    async *read() {
      const rows = database.prepare('SELECT * FROM account ORDER BY id').iterate();
      for (const row of rows) yield readAccount(database, row as unknown as AccountRow);
    },
    async write(accounts) {
      if (database.prepare('SELECT 1 FROM account LIMIT 1').get() !== undefined) {
        throw new StoreNotEmptyError(`${dataDir}: the store has accounts`);
      }
      return writeAll(database, accounts);
    },
    async close() {
      close();
    },
  };
}

function readAccount(database: DatabaseSync, row: AccountRow): AccountTransfer {
  const all = (sql: string): Row[] => database.prepare(sql).all(row.number);
  return {
    ...accountRecord(row),
    secretHash: hexOf(row.secret_hash),
    registrations: all('SELECT * FROM registration WHERE account = ? ORDER BY number').map((one) =>
      registrationTransfer(one as unknown as RegistrationRow),
    ),
    updateTokens: all('SELECT * FROM update_token WHERE account = ? ORDER BY number').map((one) => ({
      id: one['id'] as string,
      hash: hexOf(one['hash'] as Uint8Array),
      label: one['label'] as string,
      createdAtMs: one['created_at'] as number,
    })),
    hostnames: all('SELECT * FROM hostname WHERE account = ? ORDER BY number').map((one) => ({
      id: one['id'] as string,
      hostname: one['hostname'] as string,
      state: one['state'] as AccountTransfer['hostnames'][number]['state'],
      createdAtMs: one['created_at'] as number,
      checkedAtMs: one['checked_at'] as number | null,
      nextAtMs: one['next_at'] as number,
      barred: JSON.parse(one['barred'] as string),
    })),
    privateNames: all('SELECT * FROM private_name WHERE account = ? ORDER BY number').map((one) => ({
      id: one['id'] as string,
      hash: hexOf(one['hash'] as Uint8Array),
      label: one['label'] as string,
      homeOnly: one['home_only'] === 1,
      createdAtMs: one['created_at'] as number,
      ipv4: one['ipv4'] as string | null,
      ipv6: one['ipv6'] as string | null,
    })),
    passes: all('SELECT * FROM pass WHERE account = ?').map((one) => ({
      kind: one['kind'] as AccountTransfer['passes'][number]['kind'],
      hash: hexOf(one['hash'] as Uint8Array),
      createdAtMs: one['created_at'] as number,
      expiresAtMs: one['expires_at'] as number,
    })),
    marks: all('SELECT * FROM idempotency WHERE account = ?').map((one) => ({
      key: hexOf(one['key'] as Uint8Array),
      fingerprint: hexOf(one['fingerprint'] as Uint8Array),
      expiresAtMs: one['expires_at'] as number,
      outcome: one['outcome'] as string,
      madeId: one['registration'] as string | null,
      createdAtMs: one['created_at'] as number | null,
      leaseExpiresAtMs: one['lease_expires_at'] as number | null,
    })),
  };
}

function registrationTransfer(row: RegistrationRow): RegistrationTransfer {
  return {
    id: row.id,
    prefix: formatPrefix(prefixOfKey(row.prefix)),
    renewal: row.renewal,
    label: row.label,
    source: row.source as RegistrationTransfer['source'],
    evidence: EVIDENCE[row.evidence],
    createdAtMs: row.created_at,
    expiresAtMs: row.expires_at,
  };
}

/** Writes in one transaction: after a crash or an error the store is empty. */
async function writeAll(database: DatabaseSync, accounts: AsyncIterable<AccountTransfer>): Promise<number> {
  const writer = new ImportWriter(database);
  let count = 0;
  database.exec('BEGIN IMMEDIATE');
  try {
    for await (const account of accounts) {
      writer.add(account);
      count++;
    }
    writer.end();
    database.exec('COMMIT');
    return count;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw toRegistryError(error);
  }
}

/** Writes the accounts of an import. */
class ImportWriter {
  private readonly database: DatabaseSync;
  private readonly accounts: AccountTable;
  private readonly entries: Entries;
  private readonly log: ChangeLog;
  private readonly epoch: string;
  private renewal = 0;

  constructor(database: DatabaseSync) {
    this.database = database;
    this.accounts = new AccountTable(database);
    this.entries = new Entries(database);
    this.log = new ChangeLog(database, LOG_LIMIT);
    this.epoch = this.log.state().epoch;
  }

  add(account: AccountTransfer): void {
    const number = this.accounts.insert(account, bytesOf(account.secretHash));
    const row = this.accounts.byNumber(number);
    for (const one of account.registrations) this.addRegistration(row, one);
    if (!account.suspended) {
      for (const { prefix } of account.registrations) {
        this.entries.hold(prefixKey(prefixOfText(prefix)));
      }
    }
    this.addRest(account, number);
    this.log.append(this.entries.settle());
  }

  end(): void {
    this.database.prepare('UPDATE state SET renewal = max(renewal, ?) WHERE id = 1').run(this.renewal);
  }

  private addRegistration(account: AccountRow, one: RegistrationTransfer): void {
    const key = prefixKey(prefixOfText(one.prefix));
    this.renewal = Math.max(this.renewal, one.renewal);
    this.database
      .prepare(
        `INSERT INTO registration (id, account, prefix, live, renewal, label, source, evidence, created_at, expires_at,
           ends_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        ...[one.id, account.number, key, 1 - account.suspended, one.renewal, one.label, one.source],
        ...[evidenceRank(evidenceOf(one)), dayOf(one.createdAtMs), dayOf(one.expiresAtMs)],
        leaseEnd(one.expiresAtMs, this.epoch, one.id),
      );
    this.accounts.count(account, key[0], 1);
  }

  private addRest(account: AccountTransfer, number: number): void {
    const { updateTokens, hostnames, privateNames = [], passes, marks } = account;
    const insert = (table: string, columns: string, values: (string | number | null | Uint8Array)[]) =>
      this.database
        .prepare(`INSERT INTO ${table} (${columns}) VALUES (${values.map(() => '?').join(', ')})`)
        .run(...values);
    for (const { id, hash, label, createdAtMs } of updateTokens) {
      insert('update_token', 'id, account, hash, label, created_at', [
        ...[id, number, bytesOf(hash), label, dayOf(createdAtMs)],
      ]);
    }
    for (const { id, hostname, state, createdAtMs, checkedAtMs, nextAtMs, barred } of hostnames) {
      insert('hostname', 'id, account, hostname, state, created_at, checked_at, next_at, barred', [
        ...[id, number, hostname, state, dayOf(createdAtMs), dayOrNull(checkedAtMs), nextAtMs],
        JSON.stringify(barred ?? []),
      ]);
    }
    for (const { id, hash, label, homeOnly, createdAtMs, ipv4, ipv6 } of privateNames) {
      insert('private_name', 'id, account, hash, label, home_only, created_at, ipv4, ipv6', [
        ...[id, number, bytesOf(hash), label, Number(homeOnly), dayOf(createdAtMs), ipv4, ipv6],
      ]);
    }
    for (const { kind, hash, createdAtMs, expiresAtMs } of passes) {
      insert('pass', 'hash, kind, account, created_at, expires_at', [
        ...[bytesOf(hash), kind, number, createdAtMs, expiresAtMs],
      ]);
    }
    const columns =
      'key, account, fingerprint, outcome, registration, created_at, lease_expires_at, expires_at';
    for (const mark of marks) {
      insert('idempotency', columns, [
        ...[bytesOf(mark.key), number, bytesOf(mark.fingerprint), mark.outcome, mark.madeId],
        ...[dayOrNull(mark.createdAtMs), dayOrNull(mark.leaseExpiresAtMs), mark.expiresAtMs],
      ]);
    }
  }
}

function dayOrNull(timeMs: number | null): number | null {
  return timeMs === null ? null : dayOf(timeMs);
}
