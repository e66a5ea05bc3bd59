import type { ControlRegistry } from '../../src/control/index.ts';
import { formatAddress, formatPrefix, registrationPrefix, scopeOf } from '../../src/net/index.ts';
import type { Account, RegisterRequest, Registration } from '../../src/registry/index.ts';
import {
  AccountNotFound,
  AddressNotPublic,
  IdempotencyKeyReused,
  TooManyAddresses,
} from '../../src/registry/index.ts';

interface Held {
  account: Account;
  secret: string;
  registrations: Registration[];
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
  readonly #held: Held[] = [];
  readonly #keys = new Map<string, { body: string; id: string }>();
  readonly #options: MemoryRegistryOptions;
  #made = 0;

  constructor(options: MemoryRegistryOptions) {
    this.#options = options;
  }

  async createAccount(request: { region?: string; perAccount?: number; idempotencyKey?: string }) {
    this.#check();
    const { idempotencyKey, ...body } = request;
    const known = this.#repeated('create', idempotencyKey, body);
    const held = known === undefined ? this.#newAccount(body) : this.#find(known)!;
    held.secret = this.#name('ms_secret');
    this.#remember('create', idempotencyKey, body, held.account.id);
    return { account: { ...held.account }, secret: held.secret };
  }

  async listAccounts({ after = '', limit }: { after?: string; limit: number }) {
    this.#check();
    const all = this.#held.map(({ account }) => account).filter(({ id }) => id > after);
    const accounts = all.slice(0, limit);
    return { accounts, next: all.length > limit ? accounts.at(-1)!.id : null };
  }

  async getAccount(id: string) {
    this.#check();
    return this.#find(id)?.account ?? null;
  }

  async authenticate(secret: string) {
    this.#check();
    this.asked.push(secret);
    return this.#held.find((held) => held.secret === secret)?.account ?? null;
  }

  async updateAccount(id: string, change: Partial<Account>) {
    this.#check();
    const held = this.#find(id);
    if (held === undefined) return null;
    held.account = { ...held.account, ...change };
    return held.account;
  }

  async rotateSecret(id: string) {
    this.#check();
    const held = this.#find(id);
    if (held === undefined) return null;
    held.secret = this.#name('ms_secret');
    return { secret: held.secret };
  }

  async deleteAccount(id: string) {
    this.#check();
    const index = this.#held.findIndex(({ account }) => account.id === id);
    if (index >= 0) this.#held.splice(index, 1);
    return index >= 0;
  }

  async exportAccount(id: string) {
    this.#check();
    const held = this.#find(id);
    if (held === undefined) return null;
    const { account, registrations } = held;
    return { version: 1 as const, exportedAt: this.#time(0), account, registrations };
  }

  async register(accountId: string, request: RegisterRequest) {
    this.#check();
    const held = this.#find(accountId);
    if (held === undefined) throw new AccountNotFound();
    if (scopeOf(request.address) !== 'public') throw new AddressNotPublic();
    const { idempotencyKey, ...body } = request;
    const isRepeat = this.#repeated(`register ${accountId}`, idempotencyKey, body) !== undefined;
    this.#remember(`register ${accountId}`, idempotencyKey, body, accountId);
    const prefix = formatPrefix(registrationPrefix(request.address));
    const address = request.address.family === 4 ? formatAddress(request.address) : prefix;
    const there = held.registrations.find((registration) => registration.address === address);
    if (there !== undefined) {
      there.label = request.label ?? there.label;
      there.expiresAt = this.#time(90);
      return {
        outcome: isRepeat ? 'created' : 'renewed',
        registration: { ...there },
        replaced: null,
      } as const;
    }
    let replaced: Registration | null = null;
    if (held.registrations.length >= held.account.perAccount) {
      if (request.replace !== 'oldest') throw new TooManyAddresses(held.account.perAccount);
      replaced = held.registrations.shift()!;
    }
    const registration: Registration = {
      id: this.#name('r'),
      address,
      label: request.label ?? null,
      source: request.source,
      createdAt: this.#time(0),
      expiresAt: this.#time(90),
    };
    held.registrations.push(registration);
    return { outcome: 'created', registration: { ...registration }, replaced } as const;
  }

  async listRegistrations(accountId: string) {
    this.#check();
    return this.#find(accountId)?.registrations ?? null;
  }

  async removeRegistration(accountId: string, id: string) {
    this.#check();
    const registrations = this.#find(accountId)?.registrations ?? [];
    const index = registrations.findIndex((registration) => registration.id === id);
    if (index >= 0) registrations.splice(index, 1);
    return index >= 0;
  }

  #check(): void {
    if (this.fail !== null) throw this.fail;
  }

  #find(id: string): Held | undefined {
    return this.#held.find(({ account }) => account.id === id);
  }

  #newAccount(body: { region?: string; perAccount?: number }): Held {
    const account: Account = {
      id: this.#name('a'),
      region: body.region ?? 'us',
      perAccount: body.perAccount ?? this.#options.perAccount ?? 5,
      suspended: false,
      services: {},
      createdAt: this.#time(0),
    };
    const held: Held = { account, secret: '', registrations: [] };
    this.#held.push(held);
    return held;
  }

  #repeated(call: string, key: string | undefined, body: object): string | undefined {
    const known = key === undefined ? undefined : this.#keys.get(`${call} ${key}`);
    if (known !== undefined && known.body !== JSON.stringify(body)) throw new IdempotencyKeyReused();
    return known?.id;
  }

  #remember(call: string, key: string | undefined, body: object, id: string): void {
    if (key !== undefined) this.#keys.set(`${call} ${key}`, { body: JSON.stringify(body), id });
  }

  #name(prefix: string): string {
    this.#made += 1;
    return `${prefix}${String(this.#made).padStart(24, '0')}`;
  }

  #time(days: number): string {
    return new Date(this.#options.now() + days * 86_400_000).toISOString();
  }
}
