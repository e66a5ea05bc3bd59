import { dayOf } from '../../days.ts';
import { EvidenceRank } from '../evidence.ts';
import { prefixKey } from '../prefix-key.ts';
import type {
  AddPrivateNameResult,
  AddPrivateNameStep,
  ChangePrivateNameStep,
  ClaimPrivateNameResult,
  ClaimPrivateNameStep,
  PrivateNameRecord,
  RegisterStep,
} from '../store.ts';
import { type PrivateNameRow, privateNameRecord } from './private-name-table.ts';
import type { RegistrationSteps } from './registration-steps.ts';
import type { AccountRow, RegistrationRow } from './rows.ts';
import type { Tables } from './tables.ts';

/** The steps of private names, as StoreSteps describes them. */
export class PrivateNameSteps {
  private readonly tables: Tables;
  private readonly registrations: RegistrationSteps;

  constructor(tables: Tables, registrations: RegistrationSteps) {
    this.tables = tables;
    this.registrations = registrations;
  }

  add({ accountId, name, hash, limit, idempotency }: AddPrivateNameStep): AddPrivateNameResult {
    const { accounts, privateNames, idempotency: marks } = this.tables;
    const account = accounts.byId(accountId);
    if (account === undefined) return { outcome: 'no-account' };
    const first = marks.find(idempotency, name.createdAtMs);
    if (first === 'key-reused') return { outcome: 'key-reused' };
    const made = first === null ? undefined : privateNames.byId(account, first.registration!);
    if (made !== undefined) {
      return { outcome: 'repeated', name: privateNameRecord(privateNames.change(made, { hash })) };
    }
    if (privateNames.ofAccount(account).length >= limit) return { outcome: 'too-many' };
    privateNames.insert(account, name, hash);
    marks.keepId(idempotency, account.number, name.id);
    return { outcome: 'created', name: { ...name, createdAtMs: dayOf(name.createdAtMs) } };
  }

  change(step: ChangePrivateNameStep): PrivateNameRecord | null {
    const account = this.tables.accounts.byId(step.accountId);
    const row = account && this.tables.privateNames.byId(account, step.id);
    return row === undefined ? null : privateNameRecord(this.tables.privateNames.change(row, step));
  }

  remove(step: { accountId: string; id: string }): boolean {
    const account = this.tables.accounts.byId(step.accountId);
    const row = account && this.tables.privateNames.byId(account, step.id);
    if (account === undefined || row === undefined) return false;
    this.end(account, row);
    this.registrations.settle();
    return true;
  }

  /** Ends all private names of an account with their registrations; the caller settles. */
  removeAll(account: AccountRow): void {
    for (const row of this.tables.privateNames.ofAccount(account)) this.end(account, row);
  }

  claim(step: ClaimPrivateNameStep): ClaimPrivateNameResult {
    const { accounts, privateNames, registrations } = this.tables;
    const row = privateNames.find(step.hash);
    const account = row && accounts.byNumber(row.account);
    if (row === undefined || account === undefined || account.suspended === 1) return { outcome: 'unknown' };
    const key = prefixKey(step.prefix);
    const last = this.heldBy(account, row, step.prefix.family);
    const existing = registrations.find(account, key);
    const result = { nameId: row.id, homeOnly: row.home_only === 1 };
    if (existing !== undefined) {
      this.renew(account, existing, step);
      return { ...result, outcome: existing.id === last?.id ? 'own' : 'other' };
    }
    if (last !== undefined && !step.mayMove) return { ...result, outcome: 'occupied' };
    const outcome = this.register(account, row, { key, last, step });
    return { ...result, outcome };
  }

  private renew(account: AccountRow, row: RegistrationRow, step: ClaimPrivateNameStep): void {
    if (row.expires_at >= step.renewBeforeMs && row.evidence === EvidenceRank.SEEN) return;
    this.registrations.renew(account, row, {
      label: undefined,
      evidence: 'seen',
      nowMs: step.nowMs,
      expiresAtMs: step.expiresAtMs,
    });
    this.registrations.settle();
  }

  private register(
    account: AccountRow,
    row: PrivateNameRow,
    { key, last, step }: { key: Uint8Array; last: RegistrationRow | undefined; step: ClaimPrivateNameStep },
  ): 'made' | 'moved' | 'too-many' {
    const request: RegisterStep = {
      accountId: account.id,
      id: step.id,
      prefix: step.prefix,
      label: row.label,
      source: 'private-name',
      evidence: 'seen',
      replaceOldest: false,
      nowMs: step.nowMs,
      expiresAtMs: step.expiresAtMs,
      idempotency: null,
    };
    const moving = last === undefined ? [] : [last];
    const leaving = this.registrations.makeRoom(account, request, moving);
    // Nothing is written before this: an account at its limit keeps what it has.
    if (leaving === null) return 'too-many';
    for (const old of [...moving, ...leaving]) this.registrations.end(account, old);
    this.registrations.add(account, key, request);
    this.tables.privateNames.hold(row, step.prefix.family, step.id);
    this.registrations.settle();
    return last === undefined ? 'made' : 'moved';
  }

  private heldBy(account: AccountRow, row: PrivateNameRow, family: 4 | 6): RegistrationRow | undefined {
    const id = family === 4 ? row.ipv4 : row.ipv6;
    return id === null ? undefined : this.tables.registrations.byId(account, id);
  }

  private end(account: AccountRow, row: PrivateNameRow): void {
    for (const family of [4, 6] as const) {
      const made = this.heldBy(account, row, family);
      if (made !== undefined) this.registrations.end(account, made);
    }
    this.tables.privateNames.delete(row);
    this.tables.noteErasure();
  }
}
