import type { DatabaseSync } from 'node:sqlite';
import type {
  AccountHoldings,
  AccountRecord,
  AddPassStep,
  AddUpdateTokenResult,
  AddUpdateTokenStep,
  PassKind,
} from '../store.ts';
import type { AccountTable } from './account-table.ts';
import type { IdempotencyTable } from './idempotency-table.ts';
import { PassTable } from './pass-table.ts';
import { type AccountRow, accountRecord } from './rows.ts';
import { UpdateTokenTable } from './update-token-table.ts';

interface PassName {
  kind: PassKind;
  hash: Uint8Array;
}

/** The steps of what lets somebody in besides the account's secret; StoreSteps says what each promises. */
export class KeySteps {
  private readonly accounts: AccountTable;
  private readonly passes: PassTable;
  private readonly tokens: UpdateTokenTable;
  private readonly idempotency: IdempotencyTable;

  constructor(database: DatabaseSync, accounts: AccountTable, idempotency: IdempotencyTable) {
    this.accounts = accounts;
    this.idempotency = idempotency;
    this.passes = new PassTable(database);
    this.tokens = new UpdateTokenTable(database);
  }

  ofAccount(account: AccountRow): Pick<AccountHoldings, 'updateTokens' | 'sessions'> {
    return {
      updateTokens: this.tokens.ofAccount(account),
      sessions: this.passes
        .ofAccount(account, 'session')
        .map(({ created_at, expires_at }) => ({ createdAtMs: created_at, expiresAtMs: expires_at })),
    };
  }

  endPasses(account: AccountRow): void {
    this.passes.deleteAll(account);
  }

  forget(nowMs: number): void {
    this.passes.forget(nowMs);
  }

  addPass(step: AddPassStep): boolean {
    const account = this.accounts.byId(step.accountId);
    if (account === undefined) return false;
    this.passes.add(account, step);
    return true;
  }

  findPass({ kind, hash, nowMs }: PassName & { nowMs: number }) {
    const row = this.passes.find(kind, hash, nowMs);
    if (row === undefined) return null;
    const account = accountRecord(this.accounts.byNumber(row.account));
    return { account, hash: row.hash, expiresAtMs: row.expires_at };
  }

  renewPass({ kind, hash, nowMs, expiresAtMs }: PassName & { nowMs: number; expiresAtMs: number }): boolean {
    return this.passes.renew(kind, hash, nowMs, expiresAtMs);
  }

  takePass(step: PassName & { nowMs: number }): { account: AccountRecord; hash: Uint8Array } | null {
    const found = this.findPass(step);
    if (found === null) return null;
    this.passes.delete(step.kind, step.hash);
    return { account: found.account, hash: found.hash };
  }

  removePass({ kind, hash }: PassName): boolean {
    return this.passes.delete(kind, hash);
  }

  addUpdateToken({ accountId, token, hash, limit, idempotency }: AddUpdateTokenStep): AddUpdateTokenResult {
    const account = this.accounts.byId(accountId);
    if (account === undefined) return { outcome: 'no-account' };
    const first = this.idempotency.find(idempotency, token.createdAtMs);
    if (first === 'key-reused') return { outcome: 'key-reused' };
    const repeated = first === null ? undefined : this.tokens.setHash(account, first.registration!, hash);
    if (repeated !== undefined) return { outcome: 'repeated', token: repeated };
    if (this.tokens.count(account) >= limit) return { outcome: 'too-many' };
    this.tokens.insert(account, token, hash);
    this.idempotency.keepId(idempotency, account.number, token.id);
    return { outcome: 'created', token };
  }

  removeUpdateToken({ accountId, id }: { accountId: string; id: string }): boolean {
    const account = this.accounts.byId(accountId);
    return account !== undefined && this.tokens.delete(account, id);
  }

  findAccountByUpdateToken(hash: Uint8Array): { account: AccountRecord; hash: Uint8Array } | null {
    const row = this.tokens.find(hash);
    if (row === undefined) return null;
    return { account: accountRecord(this.accounts.byNumber(row.account)), hash: row.hash };
  }
}
