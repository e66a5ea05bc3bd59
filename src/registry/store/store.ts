import type { Change, Snapshot } from '../../feed/index.ts';
import type { Prefix } from '../../net/index.ts';
import type { Source } from '../types.ts';

/** Different profiles that a store may hold at a time: they are numbered in 16 bits, 0 meaning none. */
export const MAX_PROFILES = 65_534;
/** Repeats that are remembered for one account; past them the oldest is forgotten. */
export const MAX_IDEMPOTENCY_KEYS_PER_ACCOUNT = 1_000;

export interface AccountRecord {
  id: string;
  region: string;
  perAccount: number;
  suspended: boolean;
  services: Record<string, string>;
  createdAtMs: number;
}

export interface RegistrationRecord {
  id: string;
  prefix: Prefix;
  label: string | null;
  source: Source;
  createdAtMs: number;
  expiresAtMs: number;
}

/** What is kept to know a repeated call: neither the key nor the body can be found from it. */
export interface IdempotencyMark {
  /** 32 bytes: hash of who calls, what, and the key. */
  key: Uint8Array;
  /** 32 bytes: hash of the body, keyed by what the client sent as its key. */
  fingerprint: Uint8Array;
  expiresAtMs: number;
}

export interface CreateAccountStep {
  account: AccountRecord;
  secretHash: Uint8Array;
  idempotency: IdempotencyMark | null;
  nowMs: number;
}
export type CreateAccountResult =
  | { outcome: 'created' | 'repeated'; account: AccountRecord }
  | { outcome: 'key-reused' };

export interface UpdateAccountStep {
  id: string;
  region?: string;
  perAccount?: number;
  suspended?: boolean;
  services?: Record<string, string>;
}

export interface RegisterStep {
  accountId: string;
  /** Taken if the registration is a new one. */
  id: string;
  prefix: Prefix;
  /** undefined: keep the label there is. */
  label: string | null | undefined;
  source: Source;
  replaceOldest: boolean;
  nowMs: number;
  expiresAtMs: number;
  idempotency: IdempotencyMark | null;
}
export type RegisterResult =
  | {
      outcome: 'created' | 'renewed';
      registration: RegistrationRecord;
      /** The oldest of those that gave way. */
      replaced: RegistrationRecord | null;
    }
  | { outcome: 'too-many'; perAccount: number }
  | { outcome: 'no-account' }
  | { outcome: 'key-reused' };

/**
 * The steps that a store does, each atomic: all of it or nothing, with the entries of the allowlist, the sequence
 * numbers and the log entries that follow from it. A step is given everything it needs (ids, hashes, the time),
 * asks nobody, and checks before it writes: it can be one transaction or one script.
 *
 * An entry of the allowlist is a prefix that at least one account that is not suspended has registered. Its profile
 * is made of the region and services of that one of these accounts which renewed it last (by a counter, not by the
 * clock: clocks jump) and of the families of all of them together. A change is logged if an entry comes, goes or
 * its profile differs from before the step; each change has the next number.
 */
export interface StoreSteps {
  /** A repeat gives the account of the first call the new secret. */
  createAccount(step: CreateAccountStep): CreateAccountResult;
  getAccount(id: string): AccountRecord | null;
  /** Up to `limit` accounts whose id sorts after `after`, by their ids as bytes. */
  listAccounts(step: { after: string | null; limit: number }): AccountRecord[];
  findAccountBySecret(secretHash: Uint8Array): { account: AccountRecord; secretHash: Uint8Array } | null;
  updateAccount(step: UpdateAccountStep): AccountRecord | null;
  setSecret(step: { id: string; secretHash: Uint8Array }): boolean;
  /** Takes away the account, its registrations, what is remembered of its calls. False: no such account. */
  deleteAccount(id: string): boolean;
  /** The account and its registrations, the first registered first. */
  readAccount(id: string): { account: AccountRecord; registrations: RegistrationRecord[] } | null;
  /**
   * At the limit, registrations of the account whose lease is over go first, then, with `replaceOldest`, those
   * with the oldest renewal. A repeat answers as the first call was answered, without `replaced`.
   */
  register(step: RegisterStep): RegisterResult;
  removeRegistration(step: { accountId: string; id: string }): boolean;
  /** Takes away up to `limit` registrations whose lease is over, and marks of repeats that are; says how many of the former. */
  expireLeases(step: { nowMs: number; limit: number }): number;
  /** Forgets changes up to and including this one. */
  trimLog(throughSeq: number): void;
  /**
   * The changes after `seq`, up to `limit`; 'gap' if they are not in the log any more, or `seq` was never reached:
   * then only a snapshot helps.
   */
  changesSince(step: { seq: number; limit: number }): Change[] | 'gap';
  state(): { epoch: string; seq: number };
}

/** Which steps change something. */
export const STEPS: Readonly<Record<keyof StoreSteps, 'read' | 'write'>> = {
  createAccount: 'write',
  getAccount: 'read',
  listAccounts: 'read',
  findAccountBySecret: 'read',
  updateAccount: 'write',
  setSecret: 'write',
  deleteAccount: 'write',
  readAccount: 'read',
  register: 'write',
  removeRegistration: 'write',
  expireLeases: 'write',
  trimLog: 'write',
  changesSince: 'read',
  state: 'read',
};

/**
 * A store: its steps, answered once they are durable. Fails with StoreUnavailable (safe to repeat), StoreCorrupt
 * or TooManyProfiles; a step that fails has changed nothing.
 */
export type Store = {
  [Name in keyof StoreSteps]: (
    ...step: Parameters<StoreSteps[Name]>
  ) => Promise<ReturnType<StoreSteps[Name]>>;
} & {
  /** Made with the store, and the same until its data is lost. */
  readonly epoch: string;
  /** The allowlist with all changes up to the snapshot's seq; taken after the call was made. */
  snapshot(): Promise<Snapshot>;
  /** Hears every change in order, before the promise of the step that made it resolves. Returns how to stop. */
  subscribe(listener: (changes: readonly Change[]) => void): () => void;
  /** Calls that wait, and the code of the fault after which the store answers none any more. */
  status(): { pending: number; failed: string | null };
  close(): Promise<void>;
};
