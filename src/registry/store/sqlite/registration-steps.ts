import { EvidenceRank } from '../evidence.ts';
import { prefixKey } from '../prefix-key.ts';
import type { RegisterResult, RegisterStep, RegistrationRecord } from '../store.ts';
import type { IdempotencyRow } from './idempotency-table.ts';
import type { Renewal } from './registration-table.ts';
import { type AccountRow, type RegistrationRow, registrationRecord } from './rows.ts';
import type { Tables } from './tables.ts';

/** The steps of registrations, as StoreSteps describes them. */
export class RegistrationSteps {
  private readonly tables: Tables;
  /** Prefixes that a `seen` holder gave up in this step. */
  private givenUp: Uint8Array[] = [];

  constructor(tables: Tables) {
    this.tables = tables;
  }

  register(step: RegisterStep): RegisterResult {
    const account = this.tables.accounts.byId(step.accountId);
    if (account === undefined) return { outcome: 'no-account' };
    const repeated = this.tables.idempotency.find(step.idempotency, step.nowMs);
    if (repeated === 'key-reused') return { outcome: 'key-reused' };
    if (repeated !== null) return this.repeat(account, step, repeated);
    const key = prefixKey(step.prefix);
    const existing = this.tables.registrations.find(account, key);
    if (existing === undefined) return this.create(account, key, step);
    const moving = this.moving(account, key, step);
    for (const row of moving) this.end(account, row);
    const row = this.renew(account, existing, step);
    return this.finish(step, 'renewed', row, null, moving.length > 0 || row.label !== existing.label);
  }

  remove(step: { accountId: string; id: string }): boolean {
    const account = this.tables.accounts.byId(step.accountId);
    const row = account && this.tables.registrations.byId(account, step.id);
    if (account === undefined || row === undefined) return false;
    this.end(account, row);
    this.settle();
    return true;
  }

  relabel(step: {
    accountId: string;
    id: string;
    label: string | null;
  }): RegistrationRecord | 'hostname' | null {
    const account = this.tables.accounts.byId(step.accountId);
    const row = account && this.tables.registrations.byId(account, step.id);
    if (row === undefined) return null;
    if (row.source === 'hostname') return 'hostname';
    if (row.label !== null && row.label !== step.label) this.tables.noteErasure();
    return registrationRecord(this.tables.registrations.setLabel(row, step.label));
  }

  /** Ends up to `limit` expired registrations. */
  expire(step: { nowMs: number; limit: number }): number {
    const rows = this.tables.registrations.expired(step.nowMs, step.limit);
    for (const row of rows) this.end(this.tables.accounts.byNumber(row.account), row);
    this.settle();
    return rows.length;
  }

  /** Adds a registration to an account that has room for it. */
  add(account: AccountRow, key: Uint8Array, step: RegisterStep): RegistrationRow {
    const row = this.tables.registrations.insert(account, key, step);
    this.tables.accounts.active(account.number, step.nowMs);
    this.countFamily(account, key[0], 1);
    if (account.suspended === 0) this.tables.entries.hold(key);
    return row;
  }

  renew(account: AccountRow, row: RegistrationRow, renewal: Renewal): RegistrationRow {
    const renewed = this.tables.registrations.renew(row, renewal);
    this.tables.accounts.active(account.number, renewal.nowMs);
    if (account.suspended === 0) this.tables.entries.touch(row.prefix);
    return renewed;
  }

  /** Ends a registration. */
  end(account: AccountRow, row: RegistrationRow): void {
    this.tables.registrations.delete(row);
    this.tables.noteErasure();
    if (account.suspended === 0) this.release(row);
    this.countFamily(account, row.prefix[0], -1);
  }

  /** Takes a live registration out of the allowlist. */
  release(row: RegistrationRow): void {
    this.tables.entries.release(row.prefix);
    if (row.evidence === EvidenceRank.SEEN) this.givenUp.push(row.prefix);
  }

  /** Logs the step's changes, after ending the `told` registrations of addresses that no `seen` holder has any longer. */
  settle(): void {
    for (let key = this.givenUp.pop(); key !== undefined; key = this.givenUp.pop()) this.endTold(key);
    this.tables.settle();
  }

  reset(): void {
    this.givenUp = [];
  }

  /**
   * Chooses the registrations that give way to one more, the oldest renewal first; null if none may.
   *
   * @param moving registrations that end in any case
   */
  makeRoom(
    account: AccountRow,
    step: Pick<RegisterStep, 'nowMs' | 'replaceOldest'>,
    moving: readonly RegistrationRow[] = [],
  ): RegistrationRow[] | null {
    const excess = account.ipv4 + account.ipv6 - moving.length + 1 - account.per_account;
    if (excess <= 0) return [];
    const rows = this.tables.registrations
      .byAge(account)
      .filter(({ prefix }) => !moving.some((other) => Buffer.compare(other.prefix, prefix) === 0));
    const expired = rows.filter((row) => row.ends_at <= step.nowMs);
    if (expired.length >= excess) return expired;
    if (!step.replaceOldest) return null;
    const valid = rows.filter((row) => row.ends_at > step.nowMs);
    return [...expired, ...valid.slice(0, excess - expired.length)];
  }

  private create(account: AccountRow, key: Uint8Array, step: RegisterStep): RegisterResult {
    const moving = this.moving(account, key, step);
    const leaving = this.makeRoom(account, step, moving);
    // Nothing is written before this: an account at its limit keeps what it has.
    if (leaving === null) return { outcome: 'too-many', perAccount: account.per_account };
    for (const row of [...moving, ...leaving]) this.end(account, row);
    const row = this.add(account, key, step);
    const replaced = leaving.find((other) => other.ends_at > step.nowMs);
    return this.finish(step, 'created', row, replaced ?? null, true);
  }

  /** Lists the registrations of the address's family whose label moves to the address. */
  private moving(
    account: AccountRow,
    key: Uint8Array,
    { movedLabels = [] }: RegisterStep,
  ): RegistrationRow[] {
    return [...new Set(movedLabels)].flatMap((label) =>
      this.tables.registrations
        .labelled(account, label)
        .filter(({ prefix }) => prefix[0] === key[0] && Buffer.compare(prefix, key) !== 0),
    );
  }

  private finish(
    step: RegisterStep,
    outcome: 'created' | 'renewed',
    row: RegistrationRow,
    replaced: RegistrationRow | null,
    changed: boolean,
  ): RegisterResult {
    this.tables.idempotency.keep(step.idempotency, row.account, outcome, row);
    this.settle();
    return {
      outcome,
      registration: registrationRecord(row),
      replaced: replaced === null ? null : registrationRecord(replaced),
      changed,
    };
  }

  /** Answers a repeated call. A registration that has ended since is not made again. */
  private repeat(account: AccountRow, step: RegisterStep, first: IdempotencyRow): RegisterResult {
    const row = this.tables.registrations.byId(account, first.registration!);
    const registration = row
      ? registrationRecord(row)
      : {
          id: first.registration!,
          prefix: step.prefix,
          label: step.label ?? null,
          source: step.source,
          evidence: step.evidence,
          createdAtMs: first.created_at!,
          expiresAtMs: first.lease_expires_at!,
        };
    const outcome = first.outcome as 'created' | 'renewed';
    return { outcome, registration, replaced: null, changed: outcome === 'created' };
  }

  /** The account's first and last registration of a family change the entries of its other family. */
  private countFamily(account: AccountRow, family: number, by: 1 | -1): void {
    this.tables.accounts.count(account, family, by);
    const count = family === 4 ? account.ipv4 : account.ipv6;
    const crossed = by === 1 ? count === 1 : count === 0;
    if (!crossed || account.suspended === 1) return;
    for (const { prefix } of this.tables.registrations.ofAccount(account)) {
      if (prefix[0] !== family) this.tables.entries.touch(prefix);
    }
  }

  private endTold(key: Uint8Array): void {
    const { registrations, accounts, hostnames } = this.tables;
    if (registrations.isSeen(key)) return;
    for (const row of registrations.told(key)) {
      this.end(accounts.byNumber(row.account), row);
      if (row.source === 'hostname') hostnames.bar(row.account, row.label!, key);
    }
  }
}
