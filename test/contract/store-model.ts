import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { RegisterResult, Store } from '../../src/registry/store/store.ts';
import {
  applyChanges,
  DAY_MS,
  type Entries,
  entriesOf,
  newAccount,
  profileWords,
  registration,
  START_MS,
  sorted,
} from './store-support.ts';

const ACCOUNTS = 4;
const ADDRESSES = ['198.51.99.1', '198.51.99.2', '198.51.99.3', '2a00:0:0:1::9', '2a00:0:0:2::9'];
const ENTRY_KEYS = [
  '198.51.99.1/32',
  '198.51.99.2/32',
  '198.51.99.3/32',
  '2a00:0:0:1::/64',
  '2a00:0:0:2::/64',
];
const LEASE_MS = 90 * DAY_MS;

type Operation =
  | { kind: 'register'; account: number; address: number; replace: boolean }
  | { kind: 'remove'; account: number; address: number }
  | {
      kind: 'update';
      account: number;
      region?: string;
      suspended?: boolean;
      perAccount?: number;
      hulu?: string;
    }
  | { kind: 'delete'; account: number }
  | { kind: 'wait'; days: number }
  | { kind: 'expire' };

interface ModelRegistration {
  id: string;
  address: number;
  renewal: number;
  expiresAtMs: number;
}

interface ModelAccount {
  id: string;
  region: string;
  services: Record<string, string>;
  suspended: boolean;
  perAccount: number;
  held: ModelRegistration[];
}

const account = fc.nat(ACCOUNTS - 1);
const address = fc.nat(ADDRESSES.length - 1);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('register' as const), account, address, replace: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), account, address }) },
  {
    weight: 3,
    arbitrary: fc.record(
      {
        kind: fc.constant('update' as const),
        account,
        region: fc.constantFrom('us', 'gb'),
        suspended: fc.boolean(),
        perAccount: fc.integer({ min: 1, max: 4 }),
        hulu: fc.constantFrom('us', 'off'),
      },
      { requiredKeys: ['kind', 'account'] },
    ),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), account }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), days: fc.integer({ min: -10, max: 60 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const) }) },
);

let runs = 0;

/** Whole days pass here, so that the hours in which a lease ends make no difference. */
function isValid({ expiresAtMs }: ModelRegistration, nowMs: number): boolean {
  return expiresAtMs + DAY_MS >= nowMs;
}

/** A second, plain implementation of the registry's rules, which the store is compared with. */
class Model {
  private readonly store: Store;
  private readonly run = ++runs;
  private readonly accounts: (ModelAccount | null)[] = Array(ACCOUNTS).fill(null);
  private nowMs = START_MS;
  private renewal = 0;
  private made = 0;

  constructor(store: Store) {
    this.store = store;
  }

  async apply(step: Operation): Promise<void> {
    if (step.kind === 'wait') this.nowMs += step.days * DAY_MS;
    else if (step.kind === 'expire') await this.expire();
    else if (step.kind === 'register') await this.register(step);
    else await this.change(step);
  }

  /** Computes the allowlist from the accounts alone. */
  entries(): Entries {
    const entries: Entries = new Map();
    const live = this.accounts.filter((one) => one !== null && !one.suspended) as ModelAccount[];
    for (const [index, key] of ENTRY_KEYS.entries()) {
      const holders = live.filter((one) => one.held.some((held) => held.address === index));
      if (holders.length === 0) continue;
      const renewal = (one: ModelAccount) => one.held.find((held) => held.address === index)!.renewal;
      const latest = holders.reduce((a, b) => (renewal(a) > renewal(b) ? a : b));
      const has = (isSix: boolean) =>
        latest.held.some((held) => ADDRESSES[held.address].includes(':') === isSix);
      entries.set(
        key,
        profileWords({ region: latest.region, services: latest.services, ipv4: has(false), ipv6: has(true) }),
      );
    }
    return entries;
  }

  async deleteAll(): Promise<void> {
    for (const [index, one] of this.accounts.entries()) {
      if (one !== null) expect(await this.store.deleteAccount(one.id)).toBe(true);
      this.accounts[index] = null;
    }
  }

  private async accountAt(index: number): Promise<ModelAccount> {
    const existing = this.accounts[index];
    if (existing !== null) return existing;
    const id = `run${this.run}-${++this.made}`;
    await this.store.createAccount(newAccount(id, { perAccount: 3 }));
    const one = { id, region: 'us', services: {}, suspended: false, perAccount: 3, held: [] };
    this.accounts[index] = one;
    return one;
  }

  private async register(step: Extract<Operation, { kind: 'register' }>): Promise<void> {
    const one = await this.accountAt(step.account);
    const request = registration(one.id, ADDRESSES[step.address], {
      nowMs: this.nowMs,
      replaceOldest: step.replace,
    });
    const result = await this.store.register(request);
    expect(result.outcome).toBe(this.expectRegister(one, step, result));
  }

  private expectRegister(
    one: ModelAccount,
    step: Extract<Operation, { kind: 'register' }>,
    result: RegisterResult,
  ): string {
    const expiresAtMs = this.nowMs + LEASE_MS;
    const existing = one.held.find((held) => held.address === step.address);
    if (existing) {
      Object.assign(existing, { renewal: ++this.renewal, expiresAtMs });
      return 'renewed';
    }
    if (one.held.length >= one.perAccount) {
      const valid = one.held.filter((held) => isValid(held, this.nowMs));
      if (valid.length >= one.perAccount && !step.replace) return 'too-many';
      const kept = valid.sort((a, b) => b.renewal - a.renewal).slice(0, one.perAccount - 1);
      one.held = valid.length >= one.perAccount ? kept : valid;
    }
    const id = 'registration' in result ? result.registration.id : '';
    one.held.push({ id, address: step.address, renewal: ++this.renewal, expiresAtMs });
    return 'created';
  }

  private async change(step: Extract<Operation, { kind: 'remove' | 'update' | 'delete' }>): Promise<void> {
    const one = this.accounts[step.account];
    if (one === null) return;
    if (step.kind === 'delete') {
      expect(await this.store.deleteAccount(one.id)).toBe(true);
      this.accounts[step.account] = null;
    } else if (step.kind === 'remove') {
      const held = one.held.find((candidate) => candidate.address === step.address);
      const id = held?.id ?? 'none';
      expect(await this.store.removeRegistration({ accountId: one.id, id })).toBe(held !== undefined);
      one.held = one.held.filter((candidate) => candidate !== held);
    } else {
      const { kind: _kind, account: _account, hulu, ...rest } = step;
      const change = hulu === undefined ? rest : { ...rest, services: { hulu } };
      Object.assign(one, change);
      expect(await this.store.updateAccount({ id: one.id, ...change })).toMatchObject(change);
    }
  }

  private async expire(): Promise<void> {
    let over = 0;
    for (const one of this.accounts) {
      if (one === null) continue;
      const left = one.held.filter((held) => isValid(held, this.nowMs));
      over += one.held.length - left.length;
      one.held = left;
    }
    expect(await this.store.expireLeases({ nowMs: this.nowMs, limit: 1_000 })).toBe(over);
  }
}

/** Counts the entries that differ: exactly these have to be logged. */
function difference(before: Entries, after: Entries): number {
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys].filter((key) => before.get(key) !== after.get(key)).length;
}

/** Runs random steps of accounts that share addresses: feed, snapshot and rules always agree. */
export function storeModel(store: () => Store): void {
  it('agrees with the rules: feed, snapshot and model have equal entries after every step', async () => {
    const followed: Entries = new Map();
    let heard = 0;
    let seq = 0;
    store().subscribe((changes) => {
      for (const change of changes) expect(change.seq).toBe(++seq);
      heard += changes.length;
      applyChanges(followed, changes);
    });
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60, size: 'max' }), async (operations) => {
        const model = new Model(store());
        for (const step of operations) {
          const before = model.entries();
          heard = 0;
          await model.apply(step);
          expect(sorted(followed)).toEqual(sorted(model.entries()));
          expect(heard).toBe(difference(before, model.entries()));
        }
        const snapshot = await store().snapshot();
        expect(snapshot.seq).toBe(seq);
        expect(sorted(entriesOf(snapshot))).toEqual(sorted(followed));
        await model.deleteAll();
        expect(followed.size).toBe(0);
        expect((await store().snapshot()).groups).toEqual([]);
        expect((await store().snapshot()).profiles, 'profiles that nobody has are forgotten').toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
}
