import { type Prefix, parsePrefix } from '../../net/index.ts';
import { StoreCorruptError } from '../errors.ts';
import type { StoredEvidence } from '../store/evidence.ts';
import type { CredentialKind } from '../store/store.ts';
import type { HostnameState, Source } from '../types.ts';

/** Version of the lines below; readers reject others. Optional fields were added since. */
export const TRANSFER_VERSION = 1;
export const TRANSFER_FORMAT = 'mediastreamer-registry';

/**
 * An account with everything that a store holds about it: one line of JSON in an export. Secrets, tokens and keys are
 * SHA-256 hashes (hexadecimal), as in the stores. Times are milliseconds since 1970. Lists are in order of creation;
 * `passes` (sessions, links, tickets) and marks are ordered by hash.
 */
export interface AccountTransfer {
  id: string;
  region: string;
  perAccount: number;
  suspended: boolean;
  /** Sorted by name. */
  services: Record<string, string>;
  createdAtMs: number;
  /** Missing in files of older releases, as is `keep`. */
  activeAtMs?: number;
  keep?: boolean;
  secretHash: string;
  registrations: RegistrationTransfer[];
  updateTokens: { id: string; hash: string; label: string; createdAtMs: number }[];
  hostnames: {
    id: string;
    hostname: string;
    state: HostnameState;
    createdAtMs: number;
    checkedAtMs: number | null;
    nextAtMs: number;
    /** Keys of prefixes, hexadecimal, that the name may not register before it moves. Missing in files of older releases. */
    barred?: string[];
  }[];
  /** Missing in files of older releases. */
  privateNames?: {
    id: string;
    /** Keyed by privateNames.key: the names work where the key is the same. */
    hash: string;
    label: string;
    homeOnly: boolean;
    createdAtMs: number;
    /** Ids of the registrations that the name made last. */
    ipv4: string | null;
    ipv6: string | null;
  }[];
  passes: { kind: CredentialKind; hash: string; createdAtMs: number; expiresAtMs: number }[];
  /** Recognize repeated calls with an Idempotency-Key. */
  marks: {
    key: string;
    fingerprint: string;
    expiresAtMs: number;
    outcome: string;
    madeId: string | null;
    createdAtMs: number | null;
    leaseExpiresAtMs: number | null;
  }[];
}

export interface RegistrationTransfer {
  id: string;
  /** '203.0.113.7/32' */
  prefix: string;
  /** Counted over all accounts: a greater number is a later renewal. */
  renewal: number;
  label: string | null;
  source: Source;
  /** Missing in files of older releases. */
  evidence?: StoredEvidence;
  createdAtMs: number;
  expiresAtMs: number;
}

/** Export and import of a whole store. */
export interface StoreTransfer {
  /** Ordered by account id, as bytes. */
  read(): AsyncIterable<AccountTransfer>;
  /**
   * Writes the accounts to an empty store: all or, as far as anyone sees, none. Returns their number.
   *
   * @throws StoreNotEmptyError; errors of `accounts`
   */
  write(accounts: AsyncIterable<AccountTransfer>): Promise<number>;
  close(): Promise<void>;
}

/** The evidence of a registration; without it, a host name's registration counts as told, but proved. */
export function evidenceOf({ evidence, source }: RegistrationTransfer): StoredEvidence {
  return evidence ?? (source === 'hostname' ? 'proved' : 'seen');
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

export function prefixOfText(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === null) throw new StoreCorruptError('a registration in the file has no address');
  return prefix;
}

/** Sorts lists and maps that have no order of their own, so that equal stores give equal exports. */
export function inOrder(account: AccountTransfer): AccountTransfer {
  const byName = Object.entries(account.services).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...account,
    services: Object.fromEntries(byName),
    passes: account.passes.sort((a, b) => (a.kind + a.hash < b.kind + b.hash ? -1 : 1)),
    marks: account.marks.sort((a, b) => (a.key < b.key ? -1 : 1)),
  };
}
