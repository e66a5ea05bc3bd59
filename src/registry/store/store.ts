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

/** What lets somebody in for a while, kept by its hash alone. `link` and `ticket` are used once. */
export type PassKind = 'session' | 'link' | 'ticket';

/** A token that may update an address and nothing else. */
export interface UpdateTokenRecord {
  id: string;
  label: string;
  createdAtMs: number;
}

/** How it went when a host name was last looked up. */
export type HostnameState = 'waiting' | 'followed' | 'empty' | 'not-public' | 'too-many' | 'failing';

/** A host name whose addresses are registered as they change. */
export interface HostnameRecord {
  id: string;
  /** Lower case, without a root dot; the label of what it registers. */
  hostname: string;
  state: HostnameState;
  createdAtMs: number;
  /** null: not yet. */
  checkedAtMs: number | null;
}

/** Everything that an account holds. */
export interface AccountHoldings {
  account: AccountRecord;
  /** The first registered first. */
  registrations: RegistrationRecord[];
  updateTokens: UpdateTokenRecord[];
  hostnames: HostnameRecord[];
  /** Sessions that are not over are among them, and maybe some that are. */
  sessions: { createdAtMs: number; expiresAtMs: number }[];
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
  /**
   * Other registrations of the account and of the prefix's family that have one of these labels go: the name has
   * moved here.
   */
  movedLabels?: readonly string[];
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
      /** False where the registration was there with this label already and none was moved. */
      changed: boolean;
    }
  | { outcome: 'too-many'; perAccount: number }
  | { outcome: 'no-account' }
  | { outcome: 'key-reused' };

export interface AddPassStep {
  kind: PassKind;
  accountId: string;
  hash: Uint8Array;
  nowMs: number;
  expiresAtMs: number;
  /** Passes of the kind that an account may have: past it those that end first go. */
  limit: number;
}

export interface AddUpdateTokenStep {
  accountId: string;
  token: UpdateTokenRecord;
  hash: Uint8Array;
  /** Tokens that an account may have. */
  limit: number;
  idempotency: IdempotencyMark | null;
}
export type AddUpdateTokenResult =
  | { outcome: 'created' | 'repeated'; token: UpdateTokenRecord }
  | { outcome: 'too-many' | 'no-account' | 'key-reused' };

export interface AddHostnameStep {
  accountId: string;
  /** Taken if the name is a new one of the account. */
  id: string;
  hostname: string;
  nowMs: number;
  /** Host names that an account may have. */
  limit: number;
}
export type AddHostnameResult =
  | { outcome: 'created' | 'exists'; hostname: HostnameRecord }
  | { outcome: 'too-many' }
  | { outcome: 'no-account' };

export interface SettleHostnameStep {
  accountId: string;
  id: string;
  /** What it has now. */
  prefixes: readonly Prefix[];
  /** The families that this is known of: what it had of the others stays. */
  families: readonly (4 | 6)[];
  /** Ids for as many new registrations as there are prefixes. */
  ids: readonly string[];
  state: HostnameState;
  nowMs: number;
  /** The end of a lease that is made or renewed now. */
  expiresAtMs: number;
  /** Leases that end before this are renewed: not every look-up has to be a change. */
  renewBeforeMs: number;
  /** When it is due again. */
  nextAtMs: number;
}

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
  /** The account's sessions, links and tickets end with the old secret. */
  setSecret(step: { id: string; secretHash: Uint8Array }): boolean;
  /** Takes away the account and everything of it. False: no such account. */
  deleteAccount(id: string): boolean;
  readAccount(id: string): AccountHoldings | null;
  /**
   * At the limit, registrations of the account whose lease is over go first, then, with `replaceOldest`, those
   * with the oldest renewal. A repeat answers as the first call was answered, without `replaced`.
   */
  register(step: RegisterStep): RegisterResult;
  removeRegistration(step: { accountId: string; id: string }): boolean;
  /** False: no such account. */
  addPass(step: AddPassStep): boolean;
  /** The account whose pass this is, unless it is over. */
  findPass(step: {
    kind: PassKind;
    hash: Uint8Array;
    nowMs: number;
  }): { account: AccountRecord; hash: Uint8Array; expiresAtMs: number } | null;
  /** Moves a pass's end. False: it is over, or there is none. */
  renewPass(step: { kind: PassKind; hash: Uint8Array; nowMs: number; expiresAtMs: number }): boolean;
  /** As findPass, and the pass is used up. */
  takePass(step: {
    kind: PassKind;
    hash: Uint8Array;
    nowMs: number;
  }): { account: AccountRecord; hash: Uint8Array } | null;
  removePass(step: { kind: PassKind; hash: Uint8Array }): boolean;
  /** A repeat gives the token of the first call the new hash; a token that is gone is made again. */
  addUpdateToken(step: AddUpdateTokenStep): AddUpdateTokenResult;
  removeUpdateToken(step: { accountId: string; id: string }): boolean;
  findAccountByUpdateToken(hash: Uint8Array): { account: AccountRecord; hash: Uint8Array } | null;
  /** A new name is due at once. */
  addHostname(step: AddHostnameStep): AddHostnameResult;
  /** What it registered goes with it. */
  removeHostname(step: { accountId: string; id: string }): boolean;
  /** Up to `limit` names that are due, those that are so for longest first. */
  dueHostnames(step: { nowMs: number; limit: number }): { accountId: string; hostname: HostnameRecord }[];
  /**
   * Notes what a host name has: registrations that it made (source `hostname`, the name as label), of a family that is
   * known, and that it has no more go, others are renewed, new ones are made while the account may have more: then the state becomes
   * `too-many`. False: the name is gone.
   */
  settleHostname(step: SettleHostnameStep): boolean;
  /**
   * Takes away up to `limit` registrations whose lease is over, and marks of repeats and passes that are; says how
   * many of the former.
   */
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
  addPass: 'write',
  findPass: 'read',
  renewPass: 'write',
  takePass: 'write',
  removePass: 'write',
  addUpdateToken: 'write',
  removeUpdateToken: 'write',
  findAccountByUpdateToken: 'read',
  addHostname: 'write',
  removeHostname: 'write',
  dueHostnames: 'read',
  settleHostname: 'write',
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
  /**
   * Calls that wait, and the code of the fault for which the store answers none; `seq` where the store itself knows
   * how far it is.
   */
  status(): { pending: number; failed: string | null; seq?: number };
  /**
   * There where several processes share the store, which then trims its log itself: whether this process is the one
   * that does what one has to do.
   */
  readonly shared?: { doesChores(): boolean };
  close(): Promise<void>;
};
