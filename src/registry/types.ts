import type { Address, Prefix } from '../net/index.ts';
import type { StoreEvents } from './store/events.ts';
import type { Evidence } from './store/evidence.ts';
import type { StorePeer } from './store/store-peer.ts';

export type { Evidence };

/** An account, as the control API shows it. */
export interface Account {
  /** 16 characters, base 62, random. */
  id: string;
  region: string;
  /** Registered addresses at a time. */
  perAccount: number;
  /** A suspended account keeps its registrations; none of them is in the allowlist. */
  suspended: boolean;
  /** Service name -> the region it is watched from, or 'off'. */
  services: Record<string, string>;
  /** The day, as its first moment in ISO 8601, UTC; so are all times below. */
  createdAt: string;
  /** Day of the last registration, or of the creation. */
  activeAt: string;
  /** True: never erased for lack of use. */
  keep: boolean;
}

/** The way by which a registration was first made. */
export type Source = 'api' | 'page' | 'dyndns2' | 'hostname' | 'private-name' | 'admin';

/** A registered address of an account. */
export interface Registration {
  /** 16 characters, base 62, random. */
  id: string;
  /** '203.0.113.7'; IPv6 by its /64: '2001:db8:1:2::/64'. */
  address: string;
  label: string | null;
  /** The source of the first registration; renewals do not change it. */
  source: Source;
  /** seen: a request came from the address. told: a host name or the operator said so. */
  evidence: Evidence;
  createdAt: string;
  /** The last day, leaseDays after the last renewal. The lease ends within six hours after it. */
  expiresAt: string;
}

export interface CreatedAccount {
  account: Account;
  /** Shown this once; only its SHA-256 is kept. */
  secret: string;
}

export interface AccountPage {
  accounts: Account[];
  /** The next page's `after`; null on the last page. */
  next: string | null;
}

/** Values of a new account; those left out are the installation's defaults. */
export interface AccountRequest {
  region?: string;
  perAccount?: number;
  idempotencyKey?: string;
}

/** `services` replaces the whole map. */
export interface AccountChange {
  region?: string;
  perAccount?: number;
  suspended?: boolean;
  services?: Record<string, string>;
  keep?: boolean;
}

export interface RegisterRequest {
  address: Address;
  label?: string | null;
  source: Source;
  /** Default seen. */
  evidence?: Evidence;
  /** At the limit, the registration with the oldest renewal gives way. */
  replace?: 'oldest';
  /** Names that moved to the address: the account's others of its family with one of these labels end. */
  movedLabels?: readonly string[];
  idempotencyKey?: string;
}

export interface RegisterOutcome {
  outcome: 'created' | 'renewed';
  registration: Registration;
  /** The oldest one that gave way. Null in a repeat with the same idempotency key: it is erased. */
  replaced: Registration | null;
  /** False if only the end of the lease changed. */
  changed: boolean;
}

/** A token that may update an address and nothing else. */
export interface UpdateToken {
  id: string;
  label: string;
  createdAt: string;
}

/** The outcome of a host name's last look-up. */
export type HostnameState = 'waiting' | 'followed' | 'not-usable' | 'too-many' | 'failing';

/** A DDNS name whose addresses are registered as they change. */
export interface Hostname {
  id: string;
  hostname: string;
  state: HostnameState;
  createdAt: string;
  checkedAt: string | null;
}

/** A name that registers the address that its queries come from. Its token is shown once, and a hash is kept. */
export interface PrivateName {
  id: string;
  label: string;
  /** True: it moves only after an hour of queries from the new address. */
  homeOnly: boolean;
  createdAt: string;
  /** Addresses that it holds: at most one of each family. */
  addresses: string[];
}

/**
 * Outcome of a query by a private name:
 * - registered: the address is registered for the name's account;
 * - waiting: the name holds another address, and does not move yet;
 * - too_many_addresses: the account has no room;
 * - unknown: no such name, its account is suspended, or the address may not be registered.
 */
export type PrivateClaim = 'registered' | 'waiting' | 'too_many_addresses' | 'unknown';

/** An account and what it holds. */
export interface AccountHoldings {
  account: Account;
  registrations: Registration[];
  updateTokens: UpdateToken[];
  hostnames: Hostname[];
  privateNames: PrivateName[];
}

/** Everything held about an account. */
export interface AccountExport extends AccountHoldings {
  /** Raised when a field changes its meaning or goes; fields may be added. src/control/EXPORT.md describes them. */
  version: 2;
  exportedAt: string;
  /** Its sessions on the page. */
  sessions: CredentialDays[];
  signInLinks: CredentialDays[];
  tickets: CredentialDays[];
  /** Days until which repeats of calls with an Idempotency-Key are recognized. */
  repeatedCalls: { expiresAt: string }[];
}

export interface CredentialDays {
  createdAt: string;
  expiresAt: string;
}

/** An account that is about to be erased for lack of use. */
export interface LapsingAccount {
  account: Account;
  /** Day of the erasure. */
  erasesAt: string;
}

export interface RegistryStatus {
  epoch: string;
  /** The last change received from the store. */
  seq: number;
  /** Calls that the store has not answered yet. */
  pending: number;
  /** Why the store answers no call: a code; null while it works. */
  failed: string | null;
}

export interface OpenRegistryOptions {
  /** 'embedded' (SQLite in dataDir), or the URL of a Redis. */
  store: string;
  /** Made with mode 0700 if missing. */
  dataDir: string;
  /** Registrations per account, where the account has no limit of its own. */
  perAccount: number;
  leaseDays: number;
  /** Days from an account's last registration to its erasure. Null: none is erased. */
  lapsedDays?: number | null;
  allowPrivate: boolean;
  /** Read at each call, like `regions`: a reload of the configuration changes them. */
  defaultRegion: () => string;
  regions: () => readonly string[];
  /** True for a prefix that overlaps the service's own addresses, which are never registered. Asked at each call. */
  isOwn: (prefix: Prefix) => boolean;
  /** Milliseconds since 1970. */
  now: () => number;
  randomBytes: (count: number) => Uint8Array;
  /** Keys the hashes of private names that the store keeps; null: private names are off. */
  privateNameKey?: Uint8Array | null;
  /** Seconds that a change stays in the log; a removed address leaves the log within this time. Default 60. */
  logSeconds?: number;
  /** Replicas of Redis that must confirm a write before its call succeeds. Default 0. */
  waitReplicas?: number;
  /** Process that has the store: used through it until `moves.reopen`. Absent: the store is opened. */
  peer?: StorePeer;
  /** Called once if the store's thread ends by itself: from then on nothing can be changed. */
  onFailed?: (error: Error) => void;
  /** Hears about the store's state; warnings come from Redis only. */
  events?: StoreEvents;
  /**
   * Resolves to true once this process's own allowlist has applied the changes `from` to `to`. Calls are answered after
   * that (read-your-writes); false makes them fail with StoreUnavailableError.
   */
  readYourWrites?: (from: number, to: number) => Promise<boolean>;
}
