import type { Feed } from '../feed/index.ts';
import type { Address } from '../net/index.ts';
import type {
  Account,
  AccountExport,
  AccountPage,
  CreatedAccount,
  RegisterOutcome,
  Registration,
  RegistryStatus,
  Source,
} from './types.ts';

export interface OpenRegistryOptions {
  store: 'embedded';
  /** Made with mode 0700 where it does not exist. */
  dataDir: string;
  /** The limit of an account that was made without one. */
  perAccount: number;
  leaseDays: number;
  allowPrivate: boolean;
  defaultRegion: string;
  regions: readonly string[];
  /** Addresses of this service (listeners, relays): never registered. */
  ownAddresses: readonly Address[];
  /** Milliseconds since 1970. */
  now: () => number;
  randomBytes: (count: number) => Uint8Array;
  /** How long a change stays in the log, and so how soon an address that is given up has left it. 60. */
  logSeconds?: number;
  /** Called once if the store's thread ends by itself: nothing can be changed from then on. */
  onFailed?: (error: Error) => void;
}

export interface RegisterRequest {
  address: Address;
  label?: string | null;
  source: Source;
  /** At the limit, the registration with the oldest renewal gives way. */
  replace?: 'oldest';
  idempotencyKey?: string;
}

/**
 * Accounts and their registered addresses. Every method that changes something resolves after the change is
 * synced to disk and after the feed's subscribers have heard it.
 * All may throw StoreUnavailable (503: safe to repeat) and StoreCorrupt.
 */
export interface Registry {
  /** The same key again: the same account and a fresh secret. Throws InvalidField, IdempotencyKeyReused. */
  createAccount(request: {
    region?: string;
    perAccount?: number;
    idempotencyKey?: string;
  }): Promise<CreatedAccount>;
  /** Accounts in the order of their ids, which are random. `limit` 1 to 1000. */
  listAccounts(request: { after?: string; limit: number }): Promise<AccountPage>;
  getAccount(id: string): Promise<Account | null>;
  /** The account whose secret this is; suspended ones authenticate too. */
  authenticate(secret: string): Promise<Account | null>;
  /** `services` replaces the whole map. Throws InvalidField. Null: no such account. */
  updateAccount(
    id: string,
    change: { region?: string; perAccount?: number; suspended?: boolean; services?: Record<string, string> },
  ): Promise<Account | null>;
  /** A new secret; the old one ends at once. A repeat gives a fresh one again, whatever the key. */
  rotateSecret(id: string, request?: { idempotencyKey?: string }): Promise<{ secret: string } | null>;
  /** Erases everything about the account. False: no such account. */
  deleteAccount(id: string): Promise<boolean>;
  exportAccount(id: string): Promise<AccountExport | null>;
  /** Throws TooManyAddresses, AddressNotPublic, AccountNotFound, IdempotencyKeyReused, InvalidField. */
  register(accountId: string, request: RegisterRequest): Promise<RegisterOutcome>;
  /** In the order of their first registration. Null: no such account. */
  listRegistrations(accountId: string): Promise<Registration[] | null>;
  /** False: no such account, or no such registration of it. */
  removeRegistration(accountId: string, id: string): Promise<boolean>;
  /** Takes out what expired; resolves to how many registrations went. */
  expireLeases(): Promise<number>;
  readonly feed: Feed;
  status(): RegistryStatus;
  close(): Promise<void>;
}

/**
 * Opens the store, making it where there is none.
 * Throws StoreUnavailable, StoreCorrupt, StoreVersion, StoreLocked: nothing was changed then.
 */
export function openRegistry(_options: OpenRegistryOptions): Promise<Registry> {
  throw new Error('not built yet');
}
