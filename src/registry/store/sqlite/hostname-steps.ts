import { prefixKey } from '../prefix-key.ts';
import type {
  AddHostnameResult,
  AddHostnameStep,
  HostnameRecord,
  RegisterStep,
  SettleHostnameStep,
} from '../store.ts';
import { hostnameRecord } from './hostname-table.ts';
import type { RegistrationSteps } from './registration-steps.ts';
import type { AccountRow, RegistrationRow } from './rows.ts';
import type { Tables } from './tables.ts';

/** The steps of followed host names, as StoreSteps describes them. */
export class HostnameSteps {
  private readonly tables: Tables;
  private readonly registrations: RegistrationSteps;

  constructor(tables: Tables, registrations: RegistrationSteps) {
    this.tables = tables;
    this.registrations = registrations;
  }

  add(step: AddHostnameStep): AddHostnameResult {
    const account = this.tables.accounts.byId(step.accountId);
    if (account === undefined) return { outcome: 'no-account' };
    const held = this.tables.hostnames.ofAccount(account);
    const same = held.find(({ hostname }) => hostname === step.hostname);
    if (same !== undefined) return { outcome: 'exists', hostname: hostnameRecord(same) };
    if (held.length >= step.limit) return { outcome: 'too-many' };
    return { outcome: 'created', hostname: hostnameRecord(this.tables.hostnames.insert(account, step)) };
  }

  remove(step: { accountId: string; id: string }): boolean {
    const account = this.tables.accounts.byId(step.accountId);
    const row = account && this.tables.hostnames.byId(account, step.id);
    if (account === undefined || row === undefined) return false;
    for (const made of this.madeBy(account, row.hostname)) this.registrations.end(account, made);
    this.tables.hostnames.delete(row);
    this.tables.noteErasure();
    this.tables.settle();
    return true;
  }

  due(step: { nowMs: number; limit: number }): { accountId: string; hostname: HostnameRecord }[] {
    return this.tables.hostnames.due(step.nowMs, step.limit).map((row) => ({
      accountId: this.tables.accounts.byNumber(row.account).id,
      hostname: hostnameRecord(row),
    }));
  }

  settle(step: SettleHostnameStep): boolean {
    const account = this.tables.accounts.byId(step.accountId);
    const row = account && this.tables.hostnames.byId(account, step.id);
    if (account === undefined || row === undefined) return false;
    const hasRoom = this.follow(account, row.hostname, step);
    this.tables.hostnames.settle(row, hasRoom ? step.state : 'too-many', step.nowMs, step.nextAtMs);
    this.tables.settle();
    return true;
  }

  /** Brings the name's registrations up to date. @returns false if the account's limit kept some out */
  private follow(account: AccountRow, hostname: string, step: SettleHostnameStep): boolean {
    const { prefixes, families } = step;
    const keys = prefixes.map(prefixKey);
    for (const row of this.madeBy(account, hostname)) {
      if (!families.includes(row.prefix[0] as 4 | 6)) continue;
      if (!keys.some((key) => Buffer.compare(key, row.prefix) === 0)) this.registrations.end(account, row);
    }
    let hasRoom = true;
    for (const [index, key] of keys.entries()) {
      const existing = this.tables.registrations.find(account, key);
      if (existing === undefined) {
        hasRoom = this.register(account, hostname, key, step, index) && hasRoom;
      } else if (existing.expires_at < step.renewBeforeMs) {
        this.registrations.renew(account, existing, undefined, step.expiresAtMs);
      }
    }
    return hasRoom;
  }

  private register(
    account: AccountRow,
    hostname: string,
    key: Uint8Array,
    step: SettleHostnameStep,
    index: number,
  ): boolean {
    const request: RegisterStep = {
      ...step,
      id: step.ids[index],
      prefix: step.prefixes[index],
      label: hostname,
      source: 'hostname',
      replaceOldest: false,
      idempotency: null,
    };
    const leaving = this.registrations.makeRoom(account, request);
    if (leaving === null) return false;
    for (const row of leaving) this.registrations.end(account, row);
    this.registrations.add(account, key, request);
    return true;
  }

  private madeBy(account: AccountRow, hostname: string): RegistrationRow[] {
    return this.tables.registrations
      .labelled(account, hostname)
      .filter(({ source }) => source === 'hostname');
  }
}
