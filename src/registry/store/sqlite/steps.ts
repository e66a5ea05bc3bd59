import type { DatabaseSync } from 'node:sqlite';
import type { Change } from '../../../feed/index.ts';
import { prefixKey } from '../prefix-key.ts';
import type {
  AccountHoldings,
  AccountRecord,
  AddHostnameResult,
  AddHostnameStep,
  AddPassStep,
  AddUpdateTokenStep,
  CreateAccountResult,
  CreateAccountStep,
  HostnameRecord,
  PassKind,
  RegisterResult,
  RegisterStep,
  SettleHostnameStep,
  StoreSteps,
  UpdateAccountStep,
} from '../store.ts';
import { AccountTable } from './account-table.ts';
import { ChangeLog } from './change-log.ts';
import { Entries } from './entries.ts';
import { HostnameTable, hostnameRecord } from './hostname-table.ts';
import { type IdempotencyRow, IdempotencyTable } from './idempotency-table.ts';
import { KeySteps } from './key-steps.ts';
import { RegistrationTable } from './registration-table.ts';
import {
  type AccountRow,
  accountRecord,
  hasOtherFamily,
  type RegistrationRow,
  registrationRecord,
} from './rows.ts';

/**
 * The steps of a store on SQLite. They open no transaction: whoever calls a step wraps it, and calls `reset` if it
 * was rolled back.
 */
export class SqliteSteps implements StoreSteps {
  private readonly accounts: AccountTable;
  private readonly registrations: RegistrationTable;
  private readonly idempotency: IdempotencyTable;
  private readonly hostnames: HostnameTable;
  private readonly keys: KeySteps;
  private readonly entries: Entries;
  private readonly log: ChangeLog;
  private changes: Change[] = [];
  private erased = false;

  /** @param logLimit how many changes the log keeps at most. */
  constructor(database: DatabaseSync, logLimit: number) {
    this.accounts = new AccountTable(database);
    this.registrations = new RegistrationTable(database);
    this.idempotency = new IdempotencyTable(database);
    this.hostnames = new HostnameTable(database);
    this.keys = new KeySteps(database, this.accounts, this.idempotency);
    this.entries = new Entries(database);
    this.log = new ChangeLog(database, logLimit);
  }

  /** The changes logged since this was last called, and whether anything was erased. */
  take(): { changes: Change[]; erased: boolean } {
    const taken = { changes: this.changes, erased: this.erased };
    this.changes = [];
    this.erased = false;
    return taken;
  }

  /** Forgets what a step that was rolled back left in memory. */
  reset(): void {
    this.entries.reset();
    this.take();
  }

  createAccount(step: CreateAccountStep): CreateAccountResult {
    const repeated = this.idempotency.find(step.idempotency, step.nowMs);
    if (repeated === 'key-reused') return { outcome: 'key-reused' };
    if (repeated !== null) {
      const row = this.accounts.byNumber(repeated.account);
      this.accounts.setSecret(row.id, step.secretHash);
      return { outcome: 'repeated', account: accountRecord(row) };
    }
    const number = this.accounts.insert(step.account, step.secretHash);
    this.idempotency.keep(step.idempotency, number, 'created', null);
    return { outcome: 'created', account: step.account };
  }

  getAccount(id: string): AccountRecord | null {
    const row = this.accounts.byId(id);
    return row === undefined ? null : accountRecord(row);
  }

  listAccounts(step: { after: string | null; limit: number }): AccountRecord[] {
    return this.accounts.page(step.after, step.limit).map(accountRecord);
  }

  findAccountBySecret(secretHash: Uint8Array): { account: AccountRecord; secretHash: Uint8Array } | null {
    const row = this.accounts.bySecret(secretHash);
    return row === undefined ? null : { account: accountRecord(row), secretHash: row.secret_hash };
  }

  updateAccount(step: UpdateAccountStep): AccountRecord | null {
    const row = this.accounts.byId(step.id);
    if (row === undefined) return null;
    const wasLive = row.suspended === 0;
    this.accounts.update(row, step);
    const isLive = row.suspended === 0;
    if (wasLive !== isLive) this.registrations.setLive(row, isLive);
    if (wasLive || isLive) {
      for (const { prefix } of this.registrations.ofAccount(row)) {
        if (wasLive === isLive) this.entries.touch(prefix);
        else if (isLive) this.entries.hold(prefix, hasOtherFamily(row, prefix));
        else this.entries.release(prefix, hasOtherFamily(row, prefix));
      }
    }
    this.settle();
    return accountRecord(row);
  }

  setSecret(step: { id: string; secretHash: Uint8Array }): boolean {
    const row = this.accounts.byId(step.id);
    if (row === undefined) return false;
    this.keys.endPasses(row);
    return this.accounts.setSecret(step.id, step.secretHash);
  }

  deleteAccount(id: string): boolean {
    const row = this.accounts.byId(id);
    if (row === undefined) return false;
    if (row.suspended === 0) {
      for (const { prefix } of this.registrations.ofAccount(row)) {
        this.entries.release(prefix, hasOtherFamily(row, prefix));
      }
    }
    this.accounts.delete(row);
    this.erased = true;
    this.settle();
    return true;
  }

  readAccount(id: string): AccountHoldings | null {
    const row = this.accounts.byId(id);
    if (row === undefined) return null;
    return {
      account: accountRecord(row),
      registrations: this.registrations.ofAccount(row).map(registrationRecord),
      hostnames: this.hostnames.ofAccount(row).map(hostnameRecord),
      ...this.keys.ofAccount(row),
    };
  }

  register(step: RegisterStep): RegisterResult {
    const account = this.accounts.byId(step.accountId);
    if (account === undefined) return { outcome: 'no-account' };
    const repeated = this.idempotency.find(step.idempotency, step.nowMs);
    if (repeated === 'key-reused') return { outcome: 'key-reused' };
    if (repeated !== null) return this.repeat(account, step, repeated);
    const key = prefixKey(step.prefix);
    const existing = this.registrations.find(account, key);
    if (existing === undefined) return this.add(account, key, step);
    const moving = this.moving(account, key, step);
    for (const row of moving) this.remove(account, row);
    const row = this.renew(account, existing, step.label, step.expiresAtMs);
    return this.registered(step, 'renewed', row, null, moving.length > 0 || row.label !== existing.label);
  }

  removeRegistration(step: { accountId: string; id: string }): boolean {
    const account = this.accounts.byId(step.accountId);
    const row = account && this.registrations.byId(account, step.id);
    if (account === undefined || row === undefined) return false;
    this.remove(account, row);
    this.settle();
    return true;
  }

  expireLeases(step: { nowMs: number; limit: number }): number {
    const rows = this.registrations.over(step.nowMs, step.limit);
    for (const row of rows) this.remove(this.accounts.byNumber(row.account), row);
    this.idempotency.forget(step.nowMs);
    this.keys.forget(step.nowMs);
    this.settle();
    return rows.length;
  }

  addPass(step: AddPassStep): boolean {
    return this.keys.addPass(step);
  }

  findPass(step: { kind: PassKind; hash: Uint8Array; nowMs: number }) {
    return this.keys.findPass(step);
  }

  renewPass(step: { kind: PassKind; hash: Uint8Array; nowMs: number; expiresAtMs: number }): boolean {
    return this.keys.renewPass(step);
  }

  takePass(step: { kind: PassKind; hash: Uint8Array; nowMs: number }) {
    return this.keys.takePass(step);
  }

  removePass(step: { kind: PassKind; hash: Uint8Array }): boolean {
    return this.keys.removePass(step);
  }

  addUpdateToken(step: AddUpdateTokenStep) {
    return this.keys.addUpdateToken(step);
  }

  removeUpdateToken(step: { accountId: string; id: string }): boolean {
    return this.keys.removeUpdateToken(step);
  }

  findAccountByUpdateToken(hash: Uint8Array) {
    return this.keys.findAccountByUpdateToken(hash);
  }

  addHostname(step: AddHostnameStep): AddHostnameResult {
    const account = this.accounts.byId(step.accountId);
    if (account === undefined) return { outcome: 'no-account' };
    const held = this.hostnames.ofAccount(account);
    const same = held.find(({ hostname }) => hostname === step.hostname);
    if (same !== undefined) return { outcome: 'exists', hostname: hostnameRecord(same) };
    if (held.length >= step.limit) return { outcome: 'too-many' };
    return { outcome: 'created', hostname: hostnameRecord(this.hostnames.insert(account, step)) };
  }

  removeHostname(step: { accountId: string; id: string }): boolean {
    const account = this.accounts.byId(step.accountId);
    const row = account && this.hostnames.byId(account, step.id);
    if (account === undefined || row === undefined) return false;
    for (const made of this.madeBy(account, row.hostname)) this.remove(account, made);
    this.hostnames.delete(row);
    this.erased = true;
    this.settle();
    return true;
  }

  dueHostnames(step: { nowMs: number; limit: number }): { accountId: string; hostname: HostnameRecord }[] {
    return this.hostnames.due(step.nowMs, step.limit).map((row) => ({
      accountId: this.accounts.byNumber(row.account).id,
      hostname: hostnameRecord(row),
    }));
  }

  settleHostname(step: SettleHostnameStep): boolean {
    const account = this.accounts.byId(step.accountId);
    const row = account && this.hostnames.byId(account, step.id);
    if (account === undefined || row === undefined) return false;
    const isWhole = this.follow(account, row.hostname, step);
    this.hostnames.settle(row, isWhole ? step.state : 'too-many', step.nowMs, step.nextAtMs);
    this.settle();
    return true;
  }

  trimLog(throughSeq: number): void {
    if (this.log.trim(throughSeq)) this.erased = true;
  }

  changesSince(step: { seq: number; limit: number }): Change[] | 'gap' {
    return this.log.since(step.seq, step.limit);
  }

  state(): { epoch: string; seq: number } {
    const { epoch, seq } = this.log.state();
    return { epoch, seq };
  }

  private add(account: AccountRow, key: Uint8Array, step: RegisterStep): RegisterResult {
    const moving = this.moving(account, key, step);
    const leaving = this.makeRoom(account, step, moving);
    // Nothing has been written so far: who is told of too many keeps what he has.
    if (leaving === null) return { outcome: 'too-many', perAccount: account.per_account };
    for (const row of [...moving, ...leaving]) this.remove(account, row);
    const row = this.insert(account, key, step);
    const replaced = leaving.find((other) => other.expires_at > step.nowMs);
    return this.registered(step, 'created', row, replaced ?? null, true);
  }

  private insert(account: AccountRow, key: Uint8Array, step: RegisterStep): RegistrationRow {
    const row = this.registrations.insert(account, key, step);
    this.countFamily(account, key[0], 1);
    if (account.suspended === 0) this.entries.hold(key, hasOtherFamily(account, key));
    return row;
  }

  private renew(
    account: AccountRow,
    row: RegistrationRow,
    label: string | null | undefined,
    expiresAtMs: number,
  ): RegistrationRow {
    const renewed = this.registrations.renew(row, label, expiresAtMs);
    if (account.suspended === 0) this.entries.touch(row.prefix);
    return renewed;
  }

  /** The registrations of the address's family that have a label which moves to it. */
  private moving(
    account: AccountRow,
    key: Uint8Array,
    { movedLabels = [] }: RegisterStep,
  ): RegistrationRow[] {
    return [...new Set(movedLabels)].flatMap((label) =>
      this.registrations
        .labelled(account, label)
        .filter(({ prefix }) => prefix[0] === key[0] && Buffer.compare(prefix, key) !== 0),
    );
  }

  private madeBy(account: AccountRow, hostname: string): RegistrationRow[] {
    return this.registrations.labelled(account, hostname).filter(({ source }) => source === 'hostname');
  }

  /** @returns false where the account may not have as many. */
  private follow(account: AccountRow, hostname: string, step: SettleHostnameStep): boolean {
    const { prefixes, families } = step;
    const keys = prefixes.map(prefixKey);
    for (const row of this.madeBy(account, hostname)) {
      if (!families.includes(row.prefix[0] as 4 | 6)) continue;
      if (!keys.some((key) => Buffer.compare(key, row.prefix) === 0)) this.remove(account, row);
    }
    let isWhole = true;
    for (const [index, key] of keys.entries()) {
      const existing = this.registrations.find(account, key);
      if (existing !== undefined) {
        if (existing.expires_at < step.renewBeforeMs) {
          this.renew(account, existing, undefined, step.expiresAtMs);
        }
        continue;
      }
      const request: RegisterStep = {
        ...step,
        id: step.ids[index],
        prefix: prefixes[index],
        label: hostname,
        source: 'hostname',
        replaceOldest: false,
        idempotency: null,
      };
      const leaving = this.makeRoom(account, request);
      isWhole &&= leaving !== null;
      if (leaving === null) continue;
      for (const row of leaving) this.remove(account, row);
      this.insert(account, key, request);
    }
    return isWhole;
  }

  /**
   * The registrations that go so that one more fits, the oldest renewal first; null if none may.
   *
   * @param moving those that go in any case
   */
  private makeRoom(
    account: AccountRow,
    step: RegisterStep,
    moving: readonly RegistrationRow[] = [],
  ): RegistrationRow[] | null {
    const excess = account.ipv4 + account.ipv6 - moving.length + 1 - account.per_account;
    if (excess <= 0) return [];
    const rows = this.registrations
      .byAge(account)
      .filter(({ prefix }) => !moving.some((other) => Buffer.compare(other.prefix, prefix) === 0));
    const over = rows.filter((row) => row.expires_at <= step.nowMs);
    if (over.length >= excess) return over;
    if (!step.replaceOldest) return null;
    const valid = rows.filter((row) => row.expires_at > step.nowMs);
    return [...over, ...valid.slice(0, excess - over.length)];
  }

  private registered(
    step: RegisterStep,
    outcome: 'created' | 'renewed',
    row: RegistrationRow,
    replaced: RegistrationRow | null,
    changed: boolean,
  ): RegisterResult {
    this.idempotency.keep(step.idempotency, row.account, outcome, row);
    this.settle();
    return {
      outcome,
      registration: registrationRecord(row),
      replaced: replaced === null ? null : registrationRecord(replaced),
      changed,
    };
  }

  /** If the registration is gone by now, what the first call made of it is told again, and nothing is made. */
  private repeat(account: AccountRow, step: RegisterStep, first: IdempotencyRow): RegisterResult {
    const row = this.registrations.byId(account, first.registration!);
    const registration = row
      ? registrationRecord(row)
      : {
          id: first.registration!,
          prefix: step.prefix,
          label: step.label ?? null,
          source: step.source,
          createdAtMs: first.created_at!,
          expiresAtMs: first.lease_expires_at!,
        };
    const outcome = first.outcome as 'created' | 'renewed';
    return { outcome, registration, replaced: null, changed: outcome === 'created' };
  }

  private remove(account: AccountRow, row: RegistrationRow): void {
    this.registrations.delete(row);
    this.erased = true;
    if (account.suspended === 0) this.entries.release(row.prefix, hasOtherFamily(account, row.prefix));
    this.countFamily(account, row.prefix[0], -1);
  }

  /** The account's first registration of a family, and its last one, change the entries of its other family. */
  private countFamily(account: AccountRow, family: number, by: 1 | -1): void {
    this.accounts.count(account, family, by);
    const count = family === 4 ? account.ipv4 : account.ipv6;
    const crossed = by === 1 ? count === 1 : count === 0;
    if (!crossed || account.suspended === 1) return;
    for (const { prefix } of this.registrations.ofAccount(account)) {
      if (prefix[0] !== family) this.entries.shiftOthers(prefix, by);
    }
  }

  private settle(): void {
    const changes = this.log.append(this.entries.settle());
    for (const change of changes) this.changes.push(change);
  }
}
