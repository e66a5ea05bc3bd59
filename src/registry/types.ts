/** An account, as the control API shows it. */
export interface Account {
  /** 16 characters, base 62, random. */
  id: string;
  region: string;
  /** How many addresses it may have registered at a time. */
  perAccount: number;
  /** A suspended account keeps its registrations, and none of them counts for the allowlist. */
  suspended: boolean;
  /** Service name -> region it is watched from, or 'off'. */
  services: Record<string, string>;
  /** ISO 8601, UTC. */
  createdAt: string;
}

/** Where a registration came from. */
export type Source = 'api' | 'page' | 'dyndns2' | 'hostname' | 'admin';

/** A registered address of an account. */
export interface Registration {
  /** 16 characters, base 62, random. */
  id: string;
  /** '203.0.113.7'; an IPv6 one by its /64: '2001:db8:1:2::/64'. */
  address: string;
  label: string | null;
  /** Of the first registration; a renewal does not change it. */
  source: Source;
  /** ISO 8601, UTC. */
  createdAt: string;
  /** ISO 8601, UTC: leaseDays after the last renewal. */
  expiresAt: string;
}

export interface CreatedAccount {
  account: Account;
  /** Shown this once; only its SHA-256 is kept. */
  secret: string;
}

export interface AccountPage {
  accounts: Account[];
  /** What to hand in as `after` for the next page; null on the last one. */
  next: string | null;
}

export interface RegisterOutcome {
  outcome: 'created' | 'renewed';
  registration: Registration;
  /** The oldest one that gave way. Null in the repeat of a call with the same idempotency key: it is erased. */
  replaced: Registration | null;
  /** False where nothing changed but the lease's end. */
  changed: boolean;
}

/** A token that may update an address and nothing else. */
export interface UpdateToken {
  id: string;
  label: string;
  createdAt: string;
}

/** How it went when a host name was last looked up. */
export type HostnameState = 'waiting' | 'followed' | 'empty' | 'not-public' | 'too-many' | 'failing';

/** A DDNS name whose addresses are registered as they change. */
export interface Hostname {
  id: string;
  hostname: string;
  state: HostnameState;
  createdAt: string;
  checkedAt: string | null;
}

/** An account and what it has. */
export interface AccountHoldings {
  account: Account;
  registrations: Registration[];
  updateTokens: UpdateToken[];
  hostnames: Hostname[];
}

/** All that is held about an account. */
export interface AccountExport extends AccountHoldings {
  version: 1;
  exportedAt: string;
  /** Where it is signed in to the page. */
  sessions: { createdAt: string; expiresAt: string }[];
}

export interface RegistryStatus {
  epoch: string;
  /** Sequence number of the last change heard from the store. */
  seq: number;
  /** Calls that the store has not answered yet. */
  pending: number;
  /** Code of the fault that ended the store's thread; null while it runs. */
  failed: string | null;
}
