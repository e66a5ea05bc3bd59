import type { Feed } from '../feed/index.ts';
import { type Address, formatPrefix } from '../net/index.ts';
import { Credentials } from './credentials.ts';
import { leaseDay } from './days.ts';
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
import { PrivateNames } from './private-names.ts';
import {
  accountOf,
  dayText,
  hostnameOf,
  privateNameOf,
  registrationOf,
  timeText,
  updateTokenOf,
} from './records.ts';
import { registrable } from './registrable.ts';
import { ServiceHistory } from './service-history.ts';
import type { MovableStore } from './store/movable-store.ts';
import type { CredentialTimes, SnapshotStatus, Store } from './store/store.ts';
import type {
  Account,
  AccountChange,
  AccountExport,
  AccountHoldings,
  AccountPage,
  AccountRequest,
  CreatedAccount,
  CredentialDays,
  LapsingAccount,
  OpenRegistryOptions,
  RegisterOutcome,
  RegisterRequest,
  Registration,
  RegistryStatus,
} from './types.ts';
import { UpdateTokens } from './update-tokens.ts';

const LOG_SECONDS = 60;
/** Registrations that one step expires: other calls wait for the step. */
const EXPIRE_LIMIT = 500;
/** Accounts that one step erases. */
const LAPSE_LIMIT = 50;

/**
 * Accounts and their registered addresses. A method that changes something resolves after the change is synced to disk
 * and the feed's subscribers have it. All methods may throw StoreUnavailableError (503: safe to repeat) and
 * StoreCorruptError.
 */
export class Registry {
  readonly feed: Feed;
  /** Sessions, sign-in links and tickets. */
  readonly credentials: Credentials;
  readonly updateTokens: UpdateTokens;
  readonly hostnames: Hostnames;
  readonly privateNames: PrivateNames;
  readonly serviceHistory: ServiceHistory;
  /** Moves the store between processes; null where it cannot move. */
  readonly moves: MovableStore | null;
  private readonly store: Store;
  private readonly options: OpenRegistryOptions;
  /** Null: the store trims its log itself. */
  private readonly trimmer: LogTrimmer | null;
  private seq: number;

  /** @param moves the store's, where it can move between processes */
  constructor(store: Store, seq: number, options: OpenRegistryOptions, moves: MovableStore | null = null) {
    this.store = store;
    this.moves = moves;
    this.seq = seq;
    this.options = options;
    this.credentials = new Credentials(store, options);
    this.updateTokens = new UpdateTokens(store, options);
    this.hostnames = new Hostnames(store, options);
    this.privateNames = new PrivateNames(store, options);
    this.serviceHistory = new ServiceHistory(store, options);
    const isShared = moves?.isShared ?? store.shared !== undefined;
    this.trimmer = isShared ? null : this.startTrimmer();
    this.feed = {
      snapshot: () => store.snapshot(),
      subscribe: (listener, signals) => {
        const endChanges = store.subscribe((changes) => listener(changes, store.epoch));
        const endLost = moves?.onLost(() => signals?.lost('gap'));
        return () => {
          endChanges();
          endLost?.();
        };
      },
    };
  }

  /** True if this process is the leader: of those that share the store, one expires leases and follows host names. */
  get isLeader(): boolean {
    return this.store.shared?.isLeader() ?? true;
  }

  /** The snapshot that edges load, on the leader of a shared store; null elsewhere. */
  get snapshotStatus(): SnapshotStatus | null {
    return this.store.shared?.snapshotStatus?.() ?? null;
  }

  /**
   * Makes an account. A repeat with the same idempotency key gives the same account a fresh secret.
   *
   * @throws InvalidFieldError, IdempotencyKeyReusedError
   */
  async createAccount(request: AccountRequest): Promise<CreatedAccount> {
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
        activeAtMs: nowMs,
        keep: false,
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

  /** Lists accounts by id; ids are random. `limit` is 1 to 1000. */
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

  /** Finds the account with this secret; suspended accounts authenticate too. */
  async authenticate(secret: string): Promise<Account | null> {
    const hash = hashSecret(secret);
    const found = await this.store.findAccountBySecret(hash);
    // Unknown secrets are compared too: known and unknown ones take the same time.
    const isSame = sameHash(found?.secretHash ?? NO_HASH, hash);
    return found !== null && isSame ? accountOf(found.account) : null;
  }

  /** Null: no such account. @throws InvalidFieldError */
  async updateAccount(id: string, change: AccountChange): Promise<Account | null> {
    const regions = this.options.regions();
    if (change.region !== undefined) checkRegion(change.region, regions);
    if (change.perAccount !== undefined) checkPerAccount(change.perAccount);
    if (change.services !== undefined) checkServices(change.services, regions);
    const record = await this.store.updateAccount({ ...change, id });
    return record === null ? null : accountOf(record);
  }

  /**
   * Makes a new secret; the old one ends at once, with all sessions, links, tickets, update tokens, host names and private
   * names.
   */
  async rotateSecret(id: string): Promise<{ secret: string } | null> {
    const secret = makeSecret(this.options.randomBytes);
    return (await this.store.setSecret({ id, secretHash: hashSecret(secret) })) ? { secret } : null;
  }

  /** Erases everything about the account. False: no such account. */
  async deleteAccount(id: string): Promise<boolean> {
    const existed = await this.store.deleteAccount(id);
    if (!existed) return false;
    // The log may hold addresses that the account gave up earlier. If trimming it fails, the trimmer does it later.
    if (this.trimmer !== null) await this.store.trimLog(this.seq).catch(() => {});
    return true;
  }

  async exportAccount(id: string): Promise<AccountExport | null> {
    const found = await this.store.readAccount(id);
    if (found === null) return null;
    return {
      version: 2,
      exportedAt: timeText(this.options.now()),
      account: accountOf(found.account),
      registrations: found.registrations.map(registrationOf),
      updateTokens: found.updateTokens.map(updateTokenOf),
      hostnames: found.hostnames.map(hostnameOf),
      privateNames: found.privateNames.map((one) => privateNameOf(one, found.registrations)),
      sessions: found.sessions.map(credentialDays),
      signInLinks: found.links.map(credentialDays),
      tickets: found.tickets.map(credentialDays),
      repeatedCalls: found.marks.map((endMs) => ({ expiresAt: dayText(endMs) })),
    };
  }

  /** Returns everything that the account holds, except its sessions. */
  async readAccount(id: string): Promise<AccountHoldings | null> {
    const exported = await this.exportAccount(id);
    if (exported === null) return null;
    const { account, registrations, updateTokens, hostnames, privateNames } = exported;
    return { account, registrations, updateTokens, hostnames, privateNames };
  }

  /**
   * @throws TooManyAddressesError, AddressNotPublicError, AccountNotFoundError, IdempotencyKeyReusedError,
   * InvalidFieldError
   */
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
      evidence: request.evidence ?? 'seen',
      replaceOldest: request.replace === 'oldest',
      ...(request.movedLabels === undefined ? {} : { movedLabels: request.movedLabels }),
      nowMs,
      expiresAtMs: leaseDay(nowMs, leaseDays),
      idempotency: idempotencyMark(
        request.idempotencyKey,
        ['register', accountId, request.source],
        [
          formatPrefix(prefix),
          label ?? null,
          request.replace ?? null,
          ...(request.evidence === 'told' ? ['told'] : []),
        ],
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

  /** True if the address may be registered at all. */
  isRegistrable(address: Address): boolean {
    return registrable(address, this.options) !== null;
  }

  /** Renews the lease of an account's registration for the address, at most once a day. Null: not due. */
  async renewDaily(
    accountId: string,
    { expiresAt, source }: Registration,
    address: Address,
  ): Promise<Registration | null> {
    const { now, leaseDays } = this.options;
    const isDue = Date.parse(expiresAt) < leaseDay(now(), leaseDays);
    if (!isDue || !this.isRegistrable(address)) return null;
    return (await this.register(accountId, { address, source })).registration;
  }

  /** Ordered by first registration. Null: no such account. */
  async listRegistrations(accountId: string): Promise<Registration[] | null> {
    const found = await this.store.readAccount(accountId);
    return found === null ? null : found.registrations.map(registrationOf);
  }

  /** False: no such account, or no such registration of it. */
  removeRegistration(accountId: string, id: string): Promise<boolean> {
    return this.store.removeRegistration({ accountId, id });
  }

  /**
   * Changes the label of a registration. Null: no such account or registration. `hostname`: the registration follows a host
   * name, which is its label.
   *
   * @throws InvalidFieldError
   */
  async relabelRegistration(
    accountId: string,
    id: string,
    label: string | null,
  ): Promise<Registration | 'hostname' | null> {
    const record = await this.store.relabelRegistration({ accountId, id, label: checkLabel(label)! });
    return record === null || record === 'hostname' ? record : registrationOf(record);
  }

  /** Lists the accounts that are about to be erased for lack of use, the first first. `limit` is 1 to 1000. */
  async lapsingAccounts(limit: number): Promise<LapsingAccount[]> {
    const found = await this.store.lapsingAccounts({ limit: checkPageLimit(limit) });
    return found.map(({ account, erasesAtMs }) => ({
      account: accountOf(account),
      erasesAt: dayText(erasesAtMs),
    }));
  }

  /** Erases accounts whose time has come and notes those that come next, on the leader only. Returns how many. */
  async eraseLapsed(): Promise<number> {
    if (!this.isLeader) return 0;
    const { lapsedDays = null, now } = this.options;
    const step = { nowMs: now(), lapsedDays, limit: LAPSE_LIMIT };
    let erased = 0;
    while (lapsedDays !== null) {
      const ids = await this.store.eraseLapsed(step);
      erased += ids.length;
      if (ids.length > 0 && this.trimmer !== null) await this.store.trimLog(this.seq).catch(() => {});
      if (ids.length < LAPSE_LIMIT) break;
    }
    while ((await this.store.noticeLapses(step)) === LAPSE_LIMIT);
    return erased;
  }

  /** Ends expired registrations, on the leader only. Returns how many ended. */
  async expireLeases(): Promise<number> {
    if (!this.isLeader) return 0;
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

  private startTrimmer(): LogTrimmer {
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

function credentialDays({ createdAtMs, expiresAtMs }: CredentialTimes): CredentialDays {
  return { createdAt: dayText(createdAtMs), expiresAt: dayText(expiresAtMs) };
}

const NO_HASH = new Uint8Array(32);
