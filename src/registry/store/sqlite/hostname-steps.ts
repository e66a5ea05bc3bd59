import { EvidenceRank } from '../evidence.ts';
import { prefixKey } from '../prefix-key.ts';
import type {
  AddHostnameResult,
  AddHostnameStep,
  DueHostnameRecord,
  RegisterStep,
  SettleHostnameStep,
} from '../store.ts';
import { type HostnameRow, hostnameRecord } from './hostname-table.ts';
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
    this.end(account, row);
    this.registrations.settle();
    return true;
  }

  /** Ends all host names of an account with their registrations; the caller settles. */
  removeAll(account: AccountRow): void {
    for (const row of this.tables.hostnames.ofAccount(account)) this.end(account, row);
  }

  due(step: { nowMs: number; limit: number }): DueHostnameRecord[] {
    return this.tables.hostnames.due(step.nowMs, step.limit).map((row) => {
      const { id, suspended } = this.tables.accounts.byNumber(row.account);
      return { accountId: id, suspended: suspended === 1, hostname: hostnameRecord(row) };
    });
  }

  settle(step: SettleHostnameStep): boolean {
    const account = this.tables.accounts.byId(step.accountId);
    const row = account && this.tables.hostnames.byId(account, step.id);
    if (account === undefined || row === undefined) return false;
    const keys = step.prefixes.map(prefixKey);
    const barred = stillBarred(row, keys, step.families);
    this.endMoved(account, row.hostname, keys, step.families);
    let state = step.state;
    let followed = 0;
    for (const [index, key] of keys.entries()) {
      const isBarred = barred.includes(hexOf(key));
      if (!this.follow(account, row, { step, index, key, isBarred })) {
        if (!isBarred) state = 'too-many';
      } else followed++;
    }
    if (state === 'followed' && followed === 0) state = 'not-usable';
    this.tables.hostnames.settle(row, { state, barred: JSON.stringify(barred) }, step);
    this.registrations.settle();
    return true;
  }

  private end(account: AccountRow, row: HostnameRow): void {
    for (const made of this.madeBy(account, row.hostname)) this.registrations.end(account, made);
    this.tables.hostnames.delete(row);
    this.tables.noteErasure();
  }

  /** Ends the name's registrations of addresses that it no longer has. */
  private endMoved(
    account: AccountRow,
    hostname: string,
    keys: readonly Uint8Array[],
    families: readonly (4 | 6)[],
  ): void {
    for (const row of this.madeBy(account, hostname)) {
      if (!families.includes(row.prefix[0] as 4 | 6)) continue;
      if (!keys.some((key) => Buffer.compare(key, row.prefix) === 0)) this.registrations.end(account, row);
    }
  }

  /** Registers or renews one address of the name. @returns false if it is barred, or past the account's limit */
  private follow(
    account: AccountRow,
    row: HostnameRow,
    {
      step,
      index,
      key,
      isBarred,
    }: { step: SettleHostnameStep; index: number; key: Uint8Array; isBarred: boolean },
  ): boolean {
    const isSeen = step.seen !== null && Buffer.compare(prefixKey(step.seen), key) === 0;
    const evidence = isSeen ? 'seen' : 'told';
    const existing = this.tables.registrations.find(account, key);
    if (existing !== undefined) {
      const isRaised = isSeen && existing.evidence < EvidenceRank.SEEN;
      if (isRaised || existing.expires_at < step.renewBeforeMs) {
        const { nowMs, expiresAtMs } = step;
        this.registrations.renew(account, existing, { label: undefined, evidence, nowMs, expiresAtMs });
      }
      return true;
    }
    if (isBarred && !isSeen) return false;
    const request: RegisterStep = {
      ...step,
      id: step.ids[index],
      prefix: step.prefixes[index],
      label: row.hostname,
      source: 'hostname',
      evidence,
      replaceOldest: false,
      idempotency: null,
    };
    const leaving = this.registrations.makeRoom(account, request);
    if (leaving === null) return false;
    for (const old of leaving) this.registrations.end(account, old);
    this.registrations.add(account, key, request);
    return true;
  }

  private madeBy(account: AccountRow, hostname: string): RegistrationRow[] {
    return this.tables.registrations
      .labelled(account, hostname)
      .filter(({ source }) => source === 'hostname');
  }
}

/** Lists the barred prefixes that the name still has, and those of families that were not looked up. */
function stillBarred(
  row: HostnameRow,
  keys: readonly Uint8Array[],
  families: readonly (4 | 6)[],
): readonly string[] {
  const present = new Set(keys.map(hexOf));
  const barred = new Set(JSON.parse(row.barred) as string[]);
  return [...barred].filter(
    (key) => present.has(key) || !families.includes(Number.parseInt(key.slice(0, 2), 16) as 4 | 6),
  );
}

function hexOf(key: Uint8Array): string {
  return Buffer.from(key).toString('hex');
}
