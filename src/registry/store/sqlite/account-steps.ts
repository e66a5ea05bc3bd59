import { DAY_MS, dayOf, LAPSE_NOTICE_DAYS } from '../../days.ts';
import type {
  AccountHoldings,
  AccountRecord,
  CreateAccountResult,
  CreateAccountStep,
  LapseStep,
  LapsingRecord,
  UpdateAccountStep,
} from '../store.ts';
import type { CredentialSteps } from './credential-steps.ts';
import type { HostnameSteps } from './hostname-steps.ts';
import { hostnameRecord } from './hostname-table.ts';
import type { PrivateNameSteps } from './private-name-steps.ts';
import { privateNameRecord } from './private-name-table.ts';
import type { RegistrationSteps } from './registration-steps.ts';
import { accountRecord, registrationRecord } from './rows.ts';
import type { Tables } from './tables.ts';

interface AccountStepsParts {
  tables: Tables;
  credentials: CredentialSteps;
  registrations: RegistrationSteps;
  hostnames: HostnameSteps;
  privateNames: PrivateNameSteps;
}

/** The steps of accounts, as StoreSteps describes them. */
export class AccountSteps {
  private readonly tables: Tables;
  private readonly credentials: CredentialSteps;
  private readonly registrations: RegistrationSteps;
  private readonly hostnames: HostnameSteps;
  private readonly privateNames: PrivateNameSteps;

  constructor(parts: AccountStepsParts) {
    this.tables = parts.tables;
    this.credentials = parts.credentials;
    this.registrations = parts.registrations;
    this.hostnames = parts.hostnames;
    this.privateNames = parts.privateNames;
  }

  create(step: CreateAccountStep): CreateAccountResult {
    const { accounts, idempotency } = this.tables;
    const repeated = idempotency.find(step.idempotency, step.nowMs);
    if (repeated === 'key-reused') return { outcome: 'key-reused' };
    if (repeated !== null) {
      const row = accounts.byNumber(repeated.account);
      accounts.setSecret(row.id, step.secretHash);
      return { outcome: 'repeated', account: accountRecord(row) };
    }
    const number = accounts.insert(step.account, step.secretHash);
    idempotency.keep(step.idempotency, number, 'created', null);
    return { outcome: 'created', account: accountRecord(accounts.byNumber(number)) };
  }

  get(id: string): AccountRecord | null {
    const row = this.tables.accounts.byId(id);
    return row === undefined ? null : accountRecord(row);
  }

  list(step: { after: string | null; limit: number }): AccountRecord[] {
    return this.tables.accounts.page(step.after, step.limit).map(accountRecord);
  }

  findBySecret(secretHash: Uint8Array): { account: AccountRecord; secretHash: Uint8Array } | null {
    const row = this.tables.accounts.bySecret(secretHash);
    return row === undefined ? null : { account: accountRecord(row), secretHash: row.secret_hash };
  }

  update(step: UpdateAccountStep): AccountRecord | null {
    const { accounts, registrations, entries } = this.tables;
    const row = accounts.byId(step.id);
    if (row === undefined) return null;
    const wasLive = row.suspended === 0;
    accounts.update(row, step);
    const isLive = row.suspended === 0;
    if (wasLive !== isLive) registrations.setLive(row, isLive);
    if (wasLive || isLive) {
      for (const held of registrations.ofAccount(row)) {
        if (wasLive === isLive) entries.touch(held.prefix);
        else if (isLive) entries.hold(held.prefix);
        else this.registrations.release(held);
      }
    }
    this.registrations.settle();
    return accountRecord(row);
  }

  setSecret(step: { id: string; secretHash: Uint8Array }): boolean {
    const row = this.tables.accounts.byId(step.id);
    if (row === undefined) return false;
    this.credentials.endAll(row);
    this.hostnames.removeAll(row);
    this.privateNames.removeAll(row);
    this.registrations.settle();
    return this.tables.accounts.setSecret(step.id, step.secretHash);
  }

  delete(id: string): boolean {
    const { accounts, registrations } = this.tables;
    const row = accounts.byId(id);
    if (row === undefined) return false;
    if (row.suspended === 0) {
      for (const held of registrations.ofAccount(row)) this.registrations.release(held);
    }
    accounts.delete(row);
    this.tables.noteErasure();
    this.registrations.settle();
    return true;
  }

  noticeLapses({ nowMs, lapsedDays, limit }: LapseStep): number {
    const { accounts } = this.tables;
    if (lapsedDays === null) {
      accounts.forgetAllNotices();
      return 0;
    }
    const lapseMs = lapsedDays * DAY_MS;
    const firstMs = dayOf(nowMs) + LAPSE_NOTICE_DAYS * DAY_MS;
    return accounts.notice({ activeUntilMs: firstMs - lapseMs, lapseMs, firstMs }, limit);
  }

  lapsing({ limit }: { limit: number }): LapsingRecord[] {
    const rows = this.tables.accounts.lapsing(Number.MAX_SAFE_INTEGER, limit);
    return rows.map((row) => ({ account: accountRecord(row), erasesAtMs: row.erases_at! }));
  }

  eraseLapsed({ nowMs, lapsedDays, limit }: LapseStep): string[] {
    if (lapsedDays === null) return [];
    const erased = [];
    for (const row of this.tables.accounts.lapsing(dayOf(nowMs), limit)) {
      // The time may have been raised since the notice.
      if (row.active_at + lapsedDays * DAY_MS > nowMs) this.tables.accounts.clearNotice(row);
      else if (this.delete(row.id)) erased.push(row.id);
    }
    return erased;
  }

  read(id: string): AccountHoldings | null {
    const { accounts, registrations, hostnames, privateNames } = this.tables;
    const row = accounts.byId(id);
    if (row === undefined) return null;
    return {
      account: accountRecord(row),
      registrations: registrations.ofAccount(row).map(registrationRecord),
      hostnames: hostnames.ofAccount(row).map(hostnameRecord),
      privateNames: privateNames.ofAccount(row).map(privateNameRecord),
      ...this.credentials.ofAccount(row),
      marks: this.tables.idempotency.ends(row.number),
    };
  }
}
