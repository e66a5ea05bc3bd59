import type { ControlRegistry } from '../../src/control/index.ts';
import {
  type Address,
  formatAddress,
  formatPrefix,
  registrationPrefix,
  scopeOf,
} from '../../src/net/index.ts';
import type {
  Account,
  Hostname,
  RegisterRequest,
  Registration,
  UpdateToken,
} from '../../src/registry/index.ts';
import {
  AccountNotFoundError,
  AddressNotPublicError,
  IdempotencyKeyReusedError,
  TooManyAddressesError,
} from '../../src/registry/index.ts';

interface Held {
  account: Account;
  secret: string;
  registrations: Registration[];
  updateTokens: (UpdateToken & { token: string })[];
  hostnames: Hostname[];
}

export interface MemoryRegistryOptions {
  perAccount?: number;
  now: () => number;
}

/** A registry that keeps everything in an array, for tests of what stands on one. `fail` makes every call throw. */
export class MemoryRegistry implements ControlRegistry {
  fail: Error | null = null;
  /** Secrets that were asked for, in order. */
  readonly asked: string[] = [];
  private readonly held: Held[] = [];
  private readonly credentialOwners = new Map<string, string>();
  private readonly keys = new Map<string, { body: string; id: string }>();
  private readonly options: MemoryRegistryOptions;
  private made = 0;

  constructor(options: MemoryRegistryOptions) {
    this.options = options;
  }

  async createAccount(request: { region?: string; perAccount?: number; idempotencyKey?: string }) {
    this.check();
    const { idempotencyKey, ...body } = request;
    const known = this.repeated('create', idempotencyKey, body);
    const held = known === undefined ? this.newAccount(body) : this.find(known)!;
    held.secret = this.name('ms_secret');
    this.remember('create', idempotencyKey, body, held.account.id);
    return { account: { ...held.account }, secret: held.secret };
  }

  async listAccounts({ after = '', limit }: { after?: string; limit: number }) {
    this.check();
    const all = this.held.map(({ account }) => account).filter(({ id }) => id > after);
    const accounts = all.slice(0, limit);
    return { accounts, next: all.length > limit ? accounts.at(-1)!.id : null };
  }

  async getAccount(id: string) {
    this.check();
    return this.find(id)?.account ?? null;
  }

  async authenticate(secret: string) {
    this.check();
    this.asked.push(secret);
    return this.held.find((held) => held.secret === secret)?.account ?? null;
  }

  async updateAccount(id: string, change: Partial<Account>) {
    this.check();
    const held = this.find(id);
    if (held === undefined) return null;
    held.account = { ...held.account, ...change };
    return held.account;
  }

  async rotateSecret(id: string) {
    this.check();
    const held = this.find(id);
    if (held === undefined) return null;
    held.secret = this.name('ms_secret');
    return { secret: held.secret };
  }

  async deleteAccount(id: string) {
    this.check();
    const index = this.held.findIndex(({ account }) => account.id === id);
    if (index >= 0) this.held.splice(index, 1);
    return index >= 0;
  }

  async exportAccount(id: string) {
    this.check();
    const held = this.find(id);
    if (held === undefined) return null;
    const holdings = await this.readAccount(id);
    const none = { sessions: [], signInLinks: [], tickets: [], repeatedCalls: [] };
    return { version: 2 as const, exportedAt: this.time(0), ...holdings!, ...none };
  }

  async readAccount(id: string) {
    this.check();
    const held = this.find(id);
    if (held === undefined) return null;
    const { account, registrations, hostnames } = held;
    const updateTokens = held.updateTokens.map(({ token: _token, ...shown }) => shown);
    return { account, registrations, updateTokens, hostnames, privateNames: [] };
  }

  async relabelRegistration(accountId: string, id: string, label: string | null) {
    this.check();
    const one = this.find(accountId)?.registrations.find((held) => held.id === id);
    if (one !== undefined) one.label = label;
    return one ?? null;
  }

  async lapsingAccounts() {
    this.check();
    return [];
  }

  isRegistrable(address: Address): boolean {
    return scopeOf(address) === 'public';
  }

  async renewDaily() {
    return null;
  }

  readonly credentials: ControlRegistry['credentials'] = {
    make: async (kind, accountId) => {
      this.check();
      if (this.find(accountId) === undefined) return null;
      const secret = this.name(kind === 'ticket' ? 'mst_' : `ms_${kind}`);
      this.credentialOwners.set(secret, accountId);
      return { secret, expiresAt: this.time(1) };
    },
    session: async (secret) => {
      this.check();
      const account = this.find(this.credentialOwners.get(secret) ?? '')?.account;
      return account === undefined ? null : { account, renewed: false };
    },
    redeem: async (_kind, secret) => {
      this.check();
      const account = this.find(this.credentialOwners.get(secret) ?? '')?.account;
      this.credentialOwners.delete(secret);
      return account ?? null;
    },
    endSession: async (secret) => this.credentialOwners.delete(secret),
  };

  readonly updateTokens: ControlRegistry['updateTokens'] = {
    create: async (accountId, { label }) => {
      this.check();
      const held = this.find(accountId);
      if (held === undefined) throw new AccountNotFoundError();
      const updateToken = { id: this.name('t'), label, createdAt: this.time(0) };
      const token = this.name('msu_');
      held.updateTokens.push({ ...updateToken, token });
      return { updateToken, token };
    },
    remove: async (accountId, id) => {
      this.check();
      const tokens = this.find(accountId)?.updateTokens ?? [];
      const index = tokens.findIndex((token) => token.id === id);
      if (index >= 0) tokens.splice(index, 1);
      return index >= 0;
    },
    authenticate: async (accountId, token) => {
      this.check();
      const held = this.find(accountId);
      return held?.updateTokens.some((one) => one.token === token) ? held.account : null;
    },
  };

  readonly hostnames: ControlRegistry['hostnames'] = {
    add: async (accountId, text) => {
      this.check();
      const held = this.find(accountId);
      if (held === undefined) throw new AccountNotFoundError();
      const there = held.hostnames.find(({ hostname }) => hostname === text);
      if (there !== undefined) return { outcome: 'exists', hostname: there };
      const createdAt = this.time(0);
      const hostname = {
        id: this.name('h'),
        hostname: text,
        state: 'waiting' as const,
        createdAt,
        checkedAt: null,
      };
      held.hostnames.push(hostname);
      return { outcome: 'created', hostname };
    },
    settle: async () => true,
    remove: async (accountId, id) => {
      this.check();
      const hostnames = this.find(accountId)?.hostnames ?? [];
      const index = hostnames.findIndex((hostname) => hostname.id === id);
      if (index >= 0) hostnames.splice(index, 1);
      return index >= 0;
    },
  };

  readonly privateNames: ControlRegistry['privateNames'] = {
    create: async (accountId, { label, homeOnly = true }) => {
      this.check();
      if (this.find(accountId) === undefined) throw new AccountNotFoundError();
      const privateName = { id: this.name('p'), label, homeOnly, createdAt: this.time(0), addresses: [] };
      return { privateName, token: 'abcdefghijklmnopqrstuvwxyz' };
    },
    renew: async () => null,
    change: async () => false,
    remove: async () => false,
    claim: async () => 'unknown',
  };

  async register(accountId: string, request: RegisterRequest) {
    this.check();
    const held = this.find(accountId);
    if (held === undefined) throw new AccountNotFoundError();
    if (scopeOf(request.address) !== 'public') throw new AddressNotPublicError();
    const { idempotencyKey, ...body } = request;
    const isRepeat = this.repeated(`register ${accountId}`, idempotencyKey, body) !== undefined;
    this.remember(`register ${accountId}`, idempotencyKey, body, accountId);
    const prefix = formatPrefix(registrationPrefix(request.address));
    const address = request.address.family === 4 ? formatAddress(request.address) : prefix;
    const there = held.registrations.find((registration) => registration.address === address);
    if (there !== undefined) {
      there.label = request.label ?? there.label;
      there.expiresAt = this.time(90);
      return {
        outcome: isRepeat ? 'created' : 'renewed',
        registration: { ...there },
        replaced: null,
        changed: false,
      } as const;
    }
    let replaced: Registration | null = null;
    if (held.registrations.length >= held.account.perAccount) {
      if (request.replace !== 'oldest') throw new TooManyAddressesError(held.account.perAccount);
      replaced = held.registrations.shift()!;
    }
    const registration: Registration = {
      id: this.name('r'),
      address,
      label: request.label ?? null,
      source: request.source,
      evidence: request.evidence ?? 'seen',
      createdAt: this.time(0),
      expiresAt: this.time(90),
    };
    held.registrations.push(registration);
    return { outcome: 'created', registration: { ...registration }, replaced, changed: true } as const;
  }

  async listRegistrations(accountId: string) {
    this.check();
    return this.find(accountId)?.registrations ?? null;
  }

  async removeRegistration(accountId: string, id: string) {
    this.check();
    const registrations = this.find(accountId)?.registrations ?? [];
    const index = registrations.findIndex((registration) => registration.id === id);
    if (index >= 0) registrations.splice(index, 1);
    return index >= 0;
  }

  private check(): void {
    if (this.fail !== null) throw this.fail;
  }

  private find(id: string): Held | undefined {
    return this.held.find(({ account }) => account.id === id);
  }

  private newAccount(body: { region?: string; perAccount?: number }): Held {
    const account: Account = {
      id: this.name('a'),
      region: body.region ?? 'us',
      perAccount: body.perAccount ?? this.options.perAccount ?? 5,
      suspended: false,
      services: {},
      createdAt: this.time(0),
      activeAt: this.time(0),
      keep: false,
    };
    const held: Held = { account, secret: '', registrations: [], updateTokens: [], hostnames: [] };
    this.held.push(held);
    return held;
  }

  private repeated(call: string, key: string | undefined, body: object): string | undefined {
    const known = key === undefined ? undefined : this.keys.get(`${call} ${key}`);
    if (known !== undefined && known.body !== JSON.stringify(body)) throw new IdempotencyKeyReusedError();
    return known?.id;
  }

  private remember(call: string, key: string | undefined, body: object, id: string): void {
    if (key !== undefined) this.keys.set(`${call} ${key}`, { body: JSON.stringify(body), id });
  }

  private name(prefix: string): string {
    this.made += 1;
    return `${prefix}${String(this.made).padStart(24, '0')}`;
  }

  private time(days: number): string {
    return new Date(this.options.now() + days * 86_400_000).toISOString();
  }
}
