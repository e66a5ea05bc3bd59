import { type Prefix, parsePrefix } from '../../net/index.ts';
import { StoreCorruptError } from '../errors.ts';
import type { HostnameState, PassKind } from '../store/store.ts';
import type { Source } from '../types.ts';

/** The version of the lines below; a reader refuses others. */
export const TRANSFER_VERSION = 1;
export const TRANSFER_FORMAT = 'mediastreamer-registry';

/**
 * An account with everything that a store has of it, as one line of JSON. Of secrets, tokens and keys it has the
 * SHA-256 alone (hexadecimal), as the stores have. Names of fields are those of the stores' records; times are
 * milliseconds since 1970. Lists are in the order in which things were made; passes and marks, which have none, by
 * their hashes.
 */
export interface AccountTransfer {
  id: string;
  region: string;
  perAccount: number;
  suspended: boolean;
  /** Sorted by name. */
  services: Record<string, string>;
  createdAtMs: number;
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
  }[];
  passes: { kind: PassKind; hash: string; createdAtMs: number; expiresAtMs: number }[];
  /** What a repeated call with an Idempotency-Key is known by. */
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
  /** Counted over all accounts: the greater is the later. */
  renewal: number;
  label: string | null;
  source: Source;
  createdAtMs: number;
  expiresAtMs: number;
}

/** What a store offers for being moved: all it has, and taking it all, each in one piece. */
export interface StoreTransfer {
  /** By the accounts' ids, as bytes. */
  read(): AsyncIterable<AccountTransfer>;
  /**
   * Takes the accounts into an empty store: all of them or, as far as anyone sees, none.
   *
   * @returns how many.
   * @throws StoreNotEmpty; what `accounts` throws.
   */
  write(accounts: AsyncIterable<AccountTransfer>): Promise<number>;
  close(): Promise<void>;
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

export function prefixOfText(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === null) throw new StoreCorruptError('a registration of the file has no address');
  return prefix;
}

/** Puts in one order what has none of its own. */
export function inOrder(account: AccountTransfer): AccountTransfer {
  const byName = Object.entries(account.services).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...account,
    services: Object.fromEntries(byName),
    passes: account.passes.sort((a, b) => (a.kind + a.hash < b.kind + b.hash ? -1 : 1)),
    marks: account.marks.sort((a, b) => (a.key < b.key ? -1 : 1)),
  };
}
