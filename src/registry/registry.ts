import type { Feed } from '../feed/index.ts';
import { type Address, formatPrefix } from '../net/index.ts';
import {
  AccountNotFoundError,
  AddressNotPublicError,
  IdempotencyKeyReusedError,
  TooManyAddressesError,
} from './errors.ts';
import { checkLabel, checkPageLimit, checkPerAccount, checkRegion, checkServices } from './fields.ts';
import { Hostnames } from './hostnames.ts';
import { idempotencyMark } from './idempotency.ts';
import { hashSecret, makeId, makeSecret, sameHash } from './ids.ts';
import { LogTrimmer } from './log-trimmer.ts';
import { Passes } from './passes.ts';
import { accountOf, hostnameOf, registrationOf, timeText, updateTokenOf } from './records.ts';
import { registrable } from './registrable.ts';
import type { StoreNews } from './store/redis/state.ts';
import type { Store } from './store/store.ts';
import type {
  Account,
  AccountExport,
  AccountHoldings,
  AccountPage,
  CreatedAccount,
  RegisterOutcome,
  Registration,
  RegistryStatus,
  Source,
} from './types.ts';
import { UpdateTokens } from './update-tokens.ts';

export interface OpenRegistryOptions {
  /** 'embedded' (SQLite in dataDir), or the URL of a Redis. */
  store: string;
  /** Made with mode 0700 where it does not exist. */
  dataDir: string;
  /** The limit of an account that was made without one. */
  perAccount: number;
  leaseDays: number;
  allowPrivate: boolean;
  /** Asked at each call, as `regions` is: a reload of the configuration changes them. */
  defaultRegion: () => string;
  regions: () => readonly string[];
  /** Addresses of this service (listeners, relays): never registered. */
  ownAddresses: readonly Address[];
  /** Milliseconds since 1970. */
  now: () => number;
  randomBytes: (count: number) => Uint8Array;
  /** How long a change stays in the log, and so how soon an address that is given up has left it. 60. */
  logSeconds?: number;
  /** Called once if the store's thread ends by itself: nothing can be changed from then on. */
  onFailed?: (error: Error) => void;
  /** Hears how Redis stands, and what of its settings is not as it must be. */
  news?: StoreNews;
  /**
   * With Redis, which several processes change: resolves to whether this process' own edge has the change; a call is
   * answered after that, and with StoreUnavailable where it has not.
   */
  heard?: (seq: number) => Promise<boolean>;
}

export interface RegisterRequest {
  address: Address;
  label?: string | null;
  source: Source;
  /** At the limit, the registration with the oldest renewal gives way. */
  replace?: 'oldest';
  /** Names that the address is registered for: others of its family that are labelled so give way. */
  movedLabels?: readonly string[];
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
  /** A new secret; the old one ends at once, and with it the sessions, links and tickets. A repeat gives a fresh one again, whatever the key. */
  rotateSecret(id: string, request?: { idempotencyKey?: string }): Promise<{ secret: string } | null>;
  /** Erases everything about the account. False: no such account. */
  deleteAccount(id: string): Promise<boolean>;
  exportAccount(id: string): Promise<AccountExport | null>;
  /** What the account has, its sessions left out. */
  readAccount(id: string): Promise<AccountHoldings | null>;
  /** Throws TooManyAddresses, AddressNotPublic, AccountNotFound, IdempotencyKeyReused, InvalidField. */
  register(accountId: string, request: RegisterRequest): Promise<RegisterOutcome>;
  /** Whether an address may be registered at all. */
  isRegistrable(address: Address): boolean;
  /** Renews the lease of a registration that the account has for an address, once a day. Null: it was not due. */
  renewDaily(accountId: string, registration: Registration, address: Address): Promise<Registration | null>;
  /** In the order of their first registration. Null: no such account. */
  listRegistrations(accountId: string): Promise<Registration[] | null>;
  /** False: no such account, or no such registration of it. */
  removeRegistration(accountId: string, id: string): Promise<boolean>;
  /** Takes out what expired; resolves to how many registrations went. */
  expireLeases(): Promise<number>;
  /** Sessions, sign-in links and tickets. */
  readonly passes: Passes;
  readonly updateTokens: UpdateTokens;
  readonly hostnames: Hostnames;
  readonly feed: Feed;
  /** Whether this process, of those that share the store, is the one that expires leases and follows host names. */
  readonly doesChores: boolean;
  status(): RegistryStatus;
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;
const LOG_SECONDS = 60;
/** Registrations that one step expires: a step holds up those that come after it. */
const EXPIRE_LIMIT = 500;

export class StoreRegistry implements Registry {
  readonly feed: Feed;
  readonly passes: Passes;
  readonly updateTokens: UpdateTokens;
  readonly hostnames: Hostnames;
  private readonly store: Store;
  private readonly options: OpenRegistryOptions;
  /** Null where the store trims its log itself. */
  private readonly trimmer: LogTrimmer | null;
  private seq: number;

  constructor(store: Store, seq: number, options: OpenRegistryOptions) {
    this.store = store;
    this.seq = seq;
    this.options = options;
    this.passes = new Passes(store, options);
    this.updateTokens = new UpdateTokens(store, options);
    this.hostnames = new Hostnames(store, options);
    this.trimmer = store.shared === undefined ? this.keepLogShort() : null;
    this.feed = {
      snapshot: () => store.snapshot(),
      subscribe: (listener) => store.subscribe((changes) => listener(changes, store.epoch)),
    };
  }

  /** Whether this process, of those that share the store, expires leases and follows host names. */
  get doesChores(): boolean {
    return this.store.shared?.doesChores() ?? true;
  }

  async createAccount(request: {
    region?: string;
    perAccount?: number;
    idempotencyKey?: string;
  }): Promise<CreatedAccount> {
    const { randomBytes, regions, defaultRegion } = this.options;
    const region = checkRegion(request.region ?? defaultRegion(), regions());
    const perAccount = checkPerAccount(request.perAccount ?? this.options.perAccount);
    const nowMs = this.options.now();
    const secret = makeSecret(randomBytes);
    const result = await this.store.createAccount({
      account: {
        id: makeId(randomBytes),
        region,
        perAccount,
        suspended: false,
        services: {},
        createdAtMs: nowMs,
      },
      secretHash: hashSecret(secret),
      idempotency: idempotencyMark(
        request.idempotencyKey,
        ['createAccount'],
        [request.region ?? null, request.perAccount ?? null],
        nowMs,
      ),
      nowMs,
    });
    if (result.outcome === 'key-reused') throw new IdempotencyKeyReusedError();
    return { account: accountOf(result.account), secret };
  }

  async listAccounts(request: { after?: string; limit: number }): Promise<AccountPage> {
    const limit = checkPageLimit(request.limit);
    const records = await this.store.listAccounts({ after: request.after ?? null, limit: limit + 1 });
    const accounts = records.slice(0, limit).map(accountOf);
    return { accounts, next: records.length > limit ? accounts[limit - 1].id : null };
  }

  async getAccount(id: string): Promise<Account | null> {
    const record = await this.store.getAccount(id);
    return record === null ? null : accountOf(record);
  }

  async authenticate(secret: string): Promise<Account | null> {
    const hash = hashSecret(secret);
    const found = await this.store.findAccountBySecret(hash);
    // The unknown secret is compared too, so that both take the same way.
    const isSame = sameHash(found?.secretHash ?? NO_HASH, hash);
    return found !== null && isSame ? accountOf(found.account) : null;
  }

  async updateAccount(
    id: string,
    change: { region?: string; perAccount?: number; suspended?: boolean; services?: Record<string, string> },
  ): Promise<Account | null> {
    const regions = this.options.regions();
    if (change.region !== undefined) checkRegion(change.region, regions);
    if (change.perAccount !== undefined) checkPerAccount(change.perAccount);
    if (change.services !== undefined) checkServices(change.services, regions);
    const record = await this.store.updateAccount({ ...change, id });
    return record === null ? null : accountOf(record);
  }

  async rotateSecret(id: string): Promise<{ secret: string } | null> {
    const secret = makeSecret(this.options.randomBytes);
    return (await this.store.setSecret({ id, secretHash: hashSecret(secret) })) ? { secret } : null;
  }

  async deleteAccount(id: string): Promise<boolean> {
    const existed = await this.store.deleteAccount(id);
    if (!existed) return false;
    // The log may hold addresses that the account gave up earlier, so it goes whole. The deletion stands without
    // this step: if it fails, the trimmer does it within the log's time.
    if (this.trimmer !== null) await this.store.trimLog(this.seq).catch(() => {});
    return true;
  }

  async exportAccount(id: string): Promise<AccountExport | null> {
    const found = await this.store.readAccount(id);
    if (found === null) return null;
    return {
      version: 1,
      exportedAt: timeText(this.options.now()),
      account: accountOf(found.account),
      registrations: found.registrations.map(registrationOf),
      updateTokens: found.updateTokens.map(updateTokenOf),
      hostnames: found.hostnames.map(hostnameOf),
      sessions: found.sessions.map(({ createdAtMs, expiresAtMs }) => ({
        createdAt: timeText(createdAtMs),
        expiresAt: timeText(expiresAtMs),
      })),
    };
  }

  async readAccount(id: string): Promise<AccountHoldings | null> {
    const exported = await this.exportAccount(id);
    if (exported === null) return null;
    const { account, registrations, updateTokens, hostnames } = exported;
    return { account, registrations, updateTokens, hostnames };
  }

  async register(accountId: string, request: RegisterRequest): Promise<RegisterOutcome> {
    const { randomBytes, leaseDays } = this.options;
    const label = checkLabel(request.label);
    const prefix = registrable(request.address, this.options);
    if (prefix === null) throw new AddressNotPublicError();
    const nowMs = this.options.now();
    const result = await this.store.register({
      accountId,
      id: makeId(randomBytes),
      prefix,
      label,
      source: request.source,
      replaceOldest: request.replace === 'oldest',
      ...(request.movedLabels === undefined ? {} : { movedLabels: request.movedLabels }),
      nowMs,
      expiresAtMs: nowMs + leaseDays * DAY_MS,
      idempotency: idempotencyMark(
        request.idempotencyKey,
        ['register', accountId, request.source],
        [formatPrefix(prefix), label ?? null, request.replace ?? null],
        nowMs,
      ),
    });
    if (result.outcome === 'no-account') throw new AccountNotFoundError();
    if (result.outcome === 'key-reused') throw new IdempotencyKeyReusedError();
    if (result.outcome === 'too-many') throw new TooManyAddressesError(result.perAccount);
    return {
      outcome: result.outcome,
      registration: registrationOf(result.registration),
      replaced: result.replaced === null ? null : registrationOf(result.replaced),
      changed: result.changed,
    };
  }

  isRegistrable(address: Address): boolean {
    return registrable(address, this.options) !== null;
  }

  async renewDaily(
    accountId: string,
    { expiresAt, source }: Registration,
    address: Address,
  ): Promise<Registration | null> {
    const { now, leaseDays } = this.options;
    const isDue = Date.parse(expiresAt) <= now() + (leaseDays - 1) * DAY_MS;
    if (!isDue || !this.isRegistrable(address)) return null;
    return (await this.register(accountId, { address, source })).registration;
  }

  async listRegistrations(accountId: string): Promise<Registration[] | null> {
    const found = await this.store.readAccount(accountId);
    return found === null ? null : found.registrations.map(registrationOf);
  }

  removeRegistration(accountId: string, id: string): Promise<boolean> {
    return this.store.removeRegistration({ accountId, id });
  }

  async expireLeases(): Promise<number> {
    if (!this.doesChores) return 0;
    const nowMs = this.options.now();
    let expired = 0;
    for (;;) {
      const count = await this.store.expireLeases({ nowMs, limit: EXPIRE_LIMIT });
      expired += count;
      if (count < EXPIRE_LIMIT) return expired;
    }
  }

  status(): RegistryStatus {
    return { epoch: this.store.epoch, seq: this.seq, ...this.store.status() };
  }

  private keepLogShort(): LogTrimmer {
    const trimmer = new LogTrimmer({
      keepMs: (this.options.logSeconds ?? LOG_SECONDS) * 1_000,
      trim: (throughSeq) => this.store.trimLog(throughSeq),
    });
    trimmer.reached(this.seq);
    this.store.subscribe((changes) => {
      this.seq = changes[changes.length - 1].seq;
      trimmer.reached(this.seq);
    });
    return trimmer;
  }

  async close(): Promise<void> {
    this.trimmer?.stop();
    await this.store.close();
  }
}

const NO_HASH = new Uint8Array(32);
