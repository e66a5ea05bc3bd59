import type { DatabaseSync } from 'node:sqlite';
import { dayOf } from '../../days.ts';
import type {
  AccountHoldings,
  AccountRecord,
  AddCredentialStep,
  AddUpdateTokenResult,
  AddUpdateTokenStep,
  CredentialKind,
  CredentialName,
  CredentialTimes,
} from '../store.ts';
import type { AccountTable } from './account-table.ts';
import { CredentialTable } from './credential-table.ts';
import type { IdempotencyTable } from './idempotency-table.ts';
import { type AccountRow, accountRecord } from './rows.ts';
import { UpdateTokenTable } from './update-token-table.ts';

/** The steps of sessions, links, tickets and update tokens, as StoreSteps describes them. */
export class CredentialSteps {
  private readonly accounts: AccountTable;
  private readonly credentials: CredentialTable;
  private readonly tokens: UpdateTokenTable;
  private readonly idempotency: IdempotencyTable;

  constructor(database: DatabaseSync, accounts: AccountTable, idempotency: IdempotencyTable) {
    this.accounts = accounts;
    this.idempotency = idempotency;
    this.credentials = new CredentialTable(database);
    this.tokens = new UpdateTokenTable(database);
  }

  ofAccount(account: AccountRow): Pick<AccountHoldings, 'updateTokens' | 'sessions' | 'links' | 'tickets'> {
    const times = (kind: CredentialKind): CredentialTimes[] =>
      this.credentials
        .ofAccount(account, kind)
        .map(({ created_at, expires_at }) => ({ createdAtMs: created_at, expiresAtMs: expires_at }));
    return {
      updateTokens: this.tokens.ofAccount(account),
      sessions: times('session'),
      links: times('link'),
      tickets: times('ticket'),
    };
  }

  /** Ends all sessions, links, tickets and update tokens of an account. */
  endAll(account: AccountRow): void {
    this.credentials.deleteAll(account);
    this.tokens.deleteAll(account);
  }

  forgetExpired(nowMs: number): void {
    this.credentials.forget(nowMs);
  }

  add(step: AddCredentialStep): boolean {
    const account = this.accounts.byId(step.accountId);
    if (account === undefined) return false;
    this.credentials.add(account, step);
    return true;
  }

  find({ kind, hash, nowMs }: CredentialName & { nowMs: number }) {
    const row = this.credentials.find(kind, hash, nowMs);
    if (row === undefined) return null;
    const account = accountRecord(this.accounts.byNumber(row.account));
    return { account, hash: row.hash, expiresAtMs: row.expires_at };
  }

  renew({
    kind,
    hash,
    nowMs,
    expiresAtMs,
  }: CredentialName & { nowMs: number; expiresAtMs: number }): boolean {
    return this.credentials.renew(kind, hash, nowMs, expiresAtMs);
  }

  redeem(step: CredentialName & { nowMs: number }): { account: AccountRecord; hash: Uint8Array } | null {
    const found = this.find(step);
    if (found === null) return null;
    this.credentials.delete(step.kind, step.hash);
    return { account: found.account, hash: found.hash };
  }

  remove({ kind, hash }: CredentialName): boolean {
    return this.credentials.delete(kind, hash);
  }

  addToken({ accountId, token, hash, limit, idempotency }: AddUpdateTokenStep): AddUpdateTokenResult {
    const account = this.accounts.byId(accountId);
    if (account === undefined) return { outcome: 'no-account' };
    const first = this.idempotency.find(idempotency, token.createdAtMs);
    if (first === 'key-reused') return { outcome: 'key-reused' };
    const repeated = first === null ? undefined : this.tokens.setHash(account, first.registration!, hash);
    if (repeated !== undefined) return { outcome: 'repeated', token: repeated };
    if (this.tokens.count(account) >= limit) return { outcome: 'too-many' };
    this.tokens.insert(account, token, hash);
    this.idempotency.keepId(idempotency, account.number, token.id);
    return { outcome: 'created', token: { ...token, createdAtMs: dayOf(token.createdAtMs) } };
  }

  removeToken({ accountId, id }: { accountId: string; id: string }): boolean {
    const account = this.accounts.byId(accountId);
    return account !== undefined && this.tokens.delete(account, id);
  }

  findByToken(hash: Uint8Array): { account: AccountRecord; hash: Uint8Array } | null {
    const row = this.tokens.find(hash);
    if (row === undefined) return null;
    return { account: accountRecord(this.accounts.byNumber(row.account)), hash: row.hash };
  }
}
