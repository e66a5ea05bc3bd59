import type { Change, Snapshot } from '../../feed/index.ts';
import type { Prefix } from '../../net/index.ts';
import type { HostnameState, Source } from '../types.ts';
import type { Evidence, StoredEvidence } from './evidence.ts';

/** Different profiles in a store at a time: numbered in 16 bits, where 0 means none. */
export const MAX_PROFILES = 65_534;
/** Repeats remembered for one account; past the limit, the oldest is forgotten. */
export const MAX_IDEMPOTENCY_KEYS_PER_ACCOUNT = 1_000;

export interface AccountRecord {
  id: string;
  region: string;
  perAccount: number;
  suspended: boolean;
  services: Record<string, string>;
  createdAtMs: number;
  /** Day of the last registration, or of the creation. */
  activeAtMs: number;
  /** True: never erased for lack of use. */
  keep: boolean;
}

export interface RegistrationRecord {
  id: string;
  prefix: Prefix;
  label: string | null;
  source: Source;
  evidence: StoredEvidence;
  createdAtMs: number;
  expiresAtMs: number;
}

/** Credentials that expire, kept as hashes. `link` and `ticket` are used once. */
export type CredentialKind = 'session' | 'link' | 'ticket';

/** A token that may update an address and nothing else. */
export interface UpdateTokenRecord {
  id: string;
  label: string;
  createdAtMs: number;
}

/** A host name that is due for a look-up. */
export interface DueHostnameRecord {
  accountId: string;
  suspended: boolean;
  hostname: HostnameRecord;
}

/** A host name whose addresses are registered. */
export interface HostnameRecord {
  id: string;
  /** Lower case, without a root dot; the label of its registrations. */
  hostname: string;
  state: HostnameState;
  createdAtMs: number;
  /** When it was last looked up; null: never. */
  checkedAtMs: number | null;
}

/** A name that registers the address that its queries come from. */
export interface PrivateNameRecord {
  id: string;
  label: string;
  /** True: it moves only after an hour of queries from the new address. */
  homeOnly: boolean;
  createdAtMs: number;
  /** Ids of the registrations that it made last, one per family; they may have ended. */
  held: readonly string[];
}

/** Everything that an account holds. */
export interface AccountHoldings {
  account: AccountRecord;
  /** The first registered first. */
  registrations: RegistrationRecord[];
  updateTokens: UpdateTokenRecord[];
  hostnames: HostnameRecord[];
  privateNames: PrivateNameRecord[];
  /** All valid ones, and possibly some expired ones; so are links and tickets. */
  sessions: CredentialTimes[];
  links: CredentialTimes[];
  tickets: CredentialTimes[];
  /** Ends of the marks of repeated calls. */
  marks: number[];
}

export interface CredentialTimes {
  createdAtMs: number;
  expiresAtMs: number;
}

/** Rules of erasing accounts that nobody uses. */
export interface LapseStep {
  nowMs: number;
  /** Days from the last registration to the erasure; null: no account is erased. */
  lapsedDays: number | null;
  limit: number;
}

/** An account that is about to be erased. */
export interface LapsingRecord {
  account: AccountRecord;
  /** Day of the erasure. */
  erasesAtMs: number;
}

/** Recognizes a repeated call. Neither the key nor the body can be computed from it. */
export interface IdempotencyMark {
  /** 32 bytes: hash of the caller, the call and the key. */
  key: Uint8Array;
  /** 32 bytes: hash of the body, keyed by the client's key. */
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
  keep?: boolean;
}

export interface RegisterStep {
  accountId: string;
  /** Used for a new registration. */
  id: string;
  prefix: Prefix;
  /** undefined: keep the present label. */
  label: string | null | undefined;
  source: Source;
  /** A renewal may raise the evidence of a registration, never lower it. */
  evidence: Evidence;
  replaceOldest: boolean;
  /** Names that moved here: the account's other registrations of this family with one of these labels end. */
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
      /** False if only the end of the lease changed. */
      changed: boolean;
    }
  | { outcome: 'too-many'; perAccount: number }
  | { outcome: 'no-account' }
  | { outcome: 'key-reused' };

export interface CredentialName {
  kind: CredentialKind;
  hash: Uint8Array;
}

export interface AddCredentialStep extends CredentialName {
  accountId: string;
  nowMs: number;
  expiresAtMs: number;
  /** Credentials of the kind per account; past the limit, those that end first go. */
  limit: number;
}

export interface AddUpdateTokenStep {
  accountId: string;
  token: UpdateTokenRecord;
  hash: Uint8Array;
  /** Tokens per account. */
  limit: number;
  idempotency: IdempotencyMark | null;
}
export type AddUpdateTokenResult =
  | { outcome: 'created' | 'repeated'; token: UpdateTokenRecord }
  | { outcome: 'too-many' | 'no-account' | 'key-reused' };

export interface AddHostnameStep {
  accountId: string;
  /** Used for a new name. */
  id: string;
  hostname: string;
  nowMs: number;
  /** Host names per account. */
  limit: number;
}
export type AddHostnameResult =
  | { outcome: 'created' | 'exists'; hostname: HostnameRecord }
  | { outcome: 'too-many' }
  | { outcome: 'no-account' };

export interface SettleHostnameStep {
  accountId: string;
  id: string;
  /** The name's registrable addresses. */
  prefixes: readonly Prefix[];
  /** Families that were looked up; registrations of the other family stay. */
  families: readonly (4 | 6)[];
  /** An id for each prefix, used for new registrations. */
  ids: readonly string[];
  /** The prefix that the caller was seen at when adding the name; the others are told. */
  seen: Prefix | null;
  state: HostnameState;
  nowMs: number;
  /** The end of leases that are made or renewed. */
  expiresAtMs: number;
  /** Leases that end before this are renewed, so that most look-ups write nothing. */
  renewBeforeMs: number;
  /** When the name is due again. */
  nextAtMs: number;
}

export interface AddPrivateNameStep {
  accountId: string;
  name: PrivateNameRecord;
  hash: Uint8Array;
  /** Private names per account. */
  limit: number;
  idempotency: IdempotencyMark | null;
}
export type AddPrivateNameResult =
  | { outcome: 'created' | 'repeated'; name: PrivateNameRecord }
  | { outcome: 'too-many' | 'no-account' | 'key-reused' };

export interface ChangePrivateNameStep {
  accountId: string;
  id: string;
  homeOnly?: boolean;
  label?: string;
  /** The name's new hash: its old token ends. */
  hash?: Uint8Array;
}

export interface ClaimPrivateNameStep {
  hash: Uint8Array;
  /** Used for a new registration. */
  id: string;
  /** The prefix that a query by the name came from. */
  prefix: Prefix;
  /** True: the prefix may take the place of the one that the name holds. */
  mayMove: boolean;
  nowMs: number;
  expiresAtMs: number;
  /** Leases that end before this are renewed, so that most claims write nothing. */
  renewBeforeMs: number;
}
/**
 * - unknown: no such name, or its account is suspended;
 * - own, other: the account has the address registered, by this name or otherwise;
 * - made, moved: registered now, moved from the name's last address;
 * - occupied: the name holds another address of the family, and `mayMove` is false;
 * - too-many: the account has no room.
 */
export type ClaimPrivateNameResult =
  | { outcome: 'unknown' }
  | {
      outcome: 'own' | 'other' | 'made' | 'moved' | 'occupied' | 'too-many';
      nameId: string;
      homeOnly: boolean;
    };

/** A service in a region on one day. */
export interface ServiceDayRecord {
  /** Days since 1970, UTC. */
  day: number;
  service: string;
  region: string;
  /** A letter an hour, see ServiceDay. */
  hours: string;
}

export interface PutServiceDayStep {
  day: number;
  /** Earlier days are forgotten. */
  firstDay: number;
  series: readonly Omit<ServiceDayRecord, 'day'>[];
}

/**
 * The steps of a store: each is atomic, and does all of what it says or nothing. Times are in milliseconds since 1970.
 * `createdAtMs`, `checkedAtMs` and a registration's `expiresAtMs` are kept to the day (days.ts), except those of
 * credentials, which are gone when they end.
 */
export interface StoreSteps {
  /** A repeat gives the account of the first call the new secret. */
  createAccount(step: CreateAccountStep): CreateAccountResult;
  getAccount(id: string): AccountRecord | null;
  /** Ordered by id as bytes, from the first after `after`. */
  listAccounts(step: { after: string | null; limit: number }): AccountRecord[];
  findAccountBySecret(secretHash: Uint8Array): { account: AccountRecord; secretHash: Uint8Array } | null;
  updateAccount(step: UpdateAccountStep): AccountRecord | null;
  /** Ends the account's sessions, links, tickets, update tokens, host names and private names with the old secret. */
  setSecret(step: { id: string; secretHash: Uint8Array }): boolean;
  /** Erases the account and everything it holds. False: no such account. */
  deleteAccount(id: string): boolean;
  readAccount(id: string): AccountHoldings | null;
  /**
   * At the account's limit, its expired registrations go first, then, with `replaceOldest`, those with the oldest
   * renewal. A repeat gets the first call's answer without `replaced`.
   *
   * An address with several holders gets the profile of the one with the strongest evidence, and of these of the latest
   * renewal; a renewal with weaker evidence than the registration's does not count. When the last `seen` holder of an
   * address gives it up, `told` registrations of it end too, and a host name does not register it again before it moves.
   */
  register(step: RegisterStep): RegisterResult;
  removeRegistration(step: { accountId: string; id: string }): boolean;
  /** Null: no such registration. `hostname`: its label is the name that made it, and stays. */
  relabelRegistration(step: {
    accountId: string;
    id: string;
    label: string | null;
  }): RegistrationRecord | 'hostname' | null;
  /**
   * Sets the day of erasure of accounts that lapse within LAPSE_NOTICE_DAYS, at least that many days from now. Returns how
   * many were set, `limit` at most. With `lapsedDays` null, clears all.
   */
  noticeLapses(step: LapseStep): number;
  /** Accounts that are about to be erased, the first first. */
  lapsingAccounts(step: { limit: number }): LapsingRecord[];
  /** Erases accounts whose day has come. Returns their ids. */
  eraseLapsed(step: LapseStep): string[];
  /** False: no such account. */
  addCredential(step: AddCredentialStep): boolean;
  findCredential(
    step: CredentialName & { nowMs: number },
  ): { account: AccountRecord; hash: Uint8Array; expiresAtMs: number } | null;
  /** Moves the end of a valid credential. False: expired or unknown. */
  renewCredential(step: CredentialName & { nowMs: number; expiresAtMs: number }): boolean;
  /** Finds a credential and uses it up. */
  redeemCredential(
    step: CredentialName & { nowMs: number },
  ): { account: AccountRecord; hash: Uint8Array } | null;
  removeCredential(step: CredentialName): boolean;
  /** A repeat gives the first call's token the new hash, or makes it again if it was removed. */
  addUpdateToken(step: AddUpdateTokenStep): AddUpdateTokenResult;
  removeUpdateToken(step: { accountId: string; id: string }): boolean;
  findAccountByUpdateToken(hash: Uint8Array): { account: AccountRecord; hash: Uint8Array } | null;
  /** A new name is due at once. */
  addHostname(step: AddHostnameStep): AddHostnameResult;
  /** Ends the registrations that the name made, too. */
  removeHostname(step: { accountId: string; id: string }): boolean;
  /** Up to `limit` names that are due, the longest overdue first. */
  dueHostnames(step: { nowMs: number; limit: number }): DueHostnameRecord[];
  /**
   * Registers a name's addresses (source `hostname`, the name as label): registrations of the looked-up families that
   * the name no longer points at end, others are renewed, new ones are made within the account's limit. Past the limit
   * the state becomes `too-many`. False: the name is gone.
   */
  settleHostname(step: SettleHostnameStep): boolean;
  /** A repeat gives the first call's name the new hash, or makes it again if it was removed. */
  addPrivateName(step: AddPrivateNameStep): AddPrivateNameResult;
  changePrivateName(step: ChangePrivateNameStep): PrivateNameRecord | null;
  /** Ends the registrations that the name holds, too. */
  removePrivateName(step: { accountId: string; id: string }): boolean;
  /** Registers or renews the address for the name's account; a name's registration never takes another one's place. */
  claimPrivateName(step: ClaimPrivateNameStep): ClaimPrivateNameResult;
  /** Adds series to a day, or replaces them. */
  putServiceDay(step: PutServiceDayStep): void;
  /** Ordered by day, service and region as bytes. */
  readServiceDays(step: { firstDay: number; lastDay: number }): ServiceDayRecord[];
  /** Ends up to `limit` expired registrations, and expired marks and credentials. Returns the number of registrations. */
  expireLeases(step: { nowMs: number; limit: number }): number;
  /** Forgets the changes up to and including this one. */
  trimLog(throughSeq: number): void;
  /** Up to `limit` changes after `seq`; 'gap' if the log does not have them: load a snapshot. */
  changesSince(step: { seq: number; limit: number }): Change[] | 'gap';
  state(): { epoch: string; seq: number };
}

/** Tells reading steps from writing ones. */
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
  relabelRegistration: 'write',
  noticeLapses: 'write',
  lapsingAccounts: 'read',
  eraseLapsed: 'write',
  addCredential: 'write',
  findCredential: 'read',
  renewCredential: 'write',
  redeemCredential: 'write',
  removeCredential: 'write',
  addUpdateToken: 'write',
  removeUpdateToken: 'write',
  findAccountByUpdateToken: 'read',
  addHostname: 'write',
  removeHostname: 'write',
  dueHostnames: 'read',
  settleHostname: 'write',
  addPrivateName: 'write',
  changePrivateName: 'write',
  removePrivateName: 'write',
  claimPrivateName: 'write',
  putServiceDay: 'write',
  readServiceDays: 'read',
  expireLeases: 'write',
  trimLog: 'write',
  changesSince: 'read',
  state: 'read',
};

/**
 * The steps as calls, which are answered once they are durable. They fail with StoreUnavailableError (safe to repeat),
 * StoreCorruptError or TooManyProfilesError; a failed step has changed nothing.
 */
export type StoreCalls = {
  [Name in keyof StoreSteps]: (
    ...step: Parameters<StoreSteps[Name]>
  ) => Promise<ReturnType<StoreSteps[Name]>>;
};

export type Store = StoreCalls & {
  /** Made with the store; another one begins when lost data is adopted. */
  readonly epoch: string;
  /** The allowlist with all changes up to the snapshot's seq; taken after the call. */
  snapshot(): Promise<Snapshot>;
  /** Calls the listener with every change in order, before the step that made it is answered. Returns the end. */
  subscribe(listener: (changes: readonly Change[]) => void): () => void;
  status(): StoreStatus;
  /** Present where several processes share the store, which then trims its log itself. */
  readonly shared?: {
    isLeader(): boolean;
    /** On the leader; null elsewhere. */
    snapshotStatus?(): SnapshotStatus | null;
  };
  close(): Promise<void>;
};

/** The packed snapshot that edges load from a shared store. */
export interface SnapshotStatus {
  /** 0: none was read or written yet. */
  readonly bytes: number;
  /** Time that it has lacked changes; 0 while it has all. */
  readonly behindMs: number;
}

export interface StoreStatus {
  /** Calls that wait for an answer. */
  pending: number;
  /** Why the store answers no call: a code; null while it works. */
  failed: string | null;
  /** The last change, where the store knows it. */
  seq?: number;
}

/** Makes one function a step from a function that calls a step by name. */
export function storeCalls(
  call: (name: keyof StoreSteps, step: readonly unknown[]) => Promise<unknown>,
): StoreCalls {
  const names = Object.keys(STEPS) as (keyof StoreSteps)[];
  return Object.fromEntries(
    names.map((name) => [name, (...step: unknown[]) => call(name, step)]),
  ) as unknown as StoreCalls;
}
