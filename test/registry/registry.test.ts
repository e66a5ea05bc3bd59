import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Change } from '../../src/feed/index.ts';
import {
  AccountNotFoundError,
  AddressNotPublicError,
  IdempotencyKeyReusedError,
  InvalidFieldError,
  StoreUnavailableError,
  TooManyAddressesError,
} from '../../src/registry/index.ts';
import { changeWords, entriesOf } from '../contract/store-support.ts';
import { address, Clock, openTestRegistry, temporaryDirectory } from './support.ts';

const HOME = address('198.51.99.7');
const DAY_MS = 86_400_000;

describe('accounts', () => {
  it('authenticate by their secret only', async () => {
    const registry = await openTestRegistry();
    const { account, secret } = await registry.createAccount({});
    expect(account).toEqual({
      id: expect.stringMatching(/^[0-9A-Za-z]{16}$/),
      region: 'us',
      perAccount: 5,
      suspended: false,
      services: {},
      createdAt: '2026-01-01T00:00:00.000Z',
      activeAt: '2026-01-01T00:00:00.000Z',
      keep: false,
    });
    expect(secret).toMatch(/^ms_[0-9A-Za-z]{32}$/);
    expect(await registry.authenticate(secret)).toEqual(account);
    for (const wrong of ['', 'ms_', `${secret}x`, secret.slice(0, -1), account.id]) {
      expect(await registry.authenticate(wrong)).toBeNull();
    }
    await registry.updateAccount(account.id, { suspended: true });
    expect(await registry.authenticate(secret)).toMatchObject({ id: account.id, suspended: true });
  });

  it('get a new secret that ends the old one', async () => {
    const registry = await openTestRegistry();
    const { account, secret } = await registry.createAccount({});
    const fresh = await registry.rotateSecret(account.id);
    const again = await registry.rotateSecret(account.id);
    expect(await registry.authenticate(secret)).toBeNull();
    expect(await registry.authenticate(fresh!.secret)).toBeNull();
    expect(await registry.authenticate(again!.secret)).toEqual(account);
    expect(await registry.rotateSecret('nobody')).toBeNull();
  });

  it('are created once for an idempotency key, with a fresh secret each time', async () => {
    const registry = await openTestRegistry();
    const first = await registry.createAccount({ region: 'gb', idempotencyKey: 'k' });
    const again = await registry.createAccount({ region: 'gb', idempotencyKey: 'k' });
    expect(again.account).toEqual(first.account);
    expect(await registry.authenticate(first.secret)).toBeNull();
    expect(await registry.authenticate(again.secret)).toEqual(first.account);
    await expect(registry.createAccount({ idempotencyKey: 'k' })).rejects.toThrow(IdempotencyKeyReusedError);
  });

  it('are listed in pages', async () => {
    const registry = await openTestRegistry();
    const made = await Promise.all(Array.from({ length: 5 }, () => registry.createAccount({})));
    const first = await registry.listAccounts({ limit: 3 });
    const second = await registry.listAccounts({ limit: 3, after: first.next! });
    expect(second.next).toBeNull();
    const ids = [...first.accounts, ...second.accounts].map((account) => account.id);
    expect(ids).toEqual(made.map(({ account }) => account.id).sort());
  });

  it.each([
    ['region', { region: 'fr' }],
    ['perAccount', { perAccount: 0 }],
    ['perAccount', { perAccount: 1.5 }],
    ['services', { services: { netflix: 'fr' } }],
    ['services', { services: { 'a b': 'us' } }],
  ])('refuse a wrong %s', async (field, change) => {
    const registry = await openTestRegistry();
    const { account } = await registry.createAccount({});
    const fault = await registry.updateAccount(account.id, change).catch((error) => error);
    expect(fault).toBeInstanceOf(InvalidFieldError);
    expect(fault.field).toBe(field);
    expect(await registry.getAccount(account.id)).toEqual(account);
  });

  it('are exported as a whole, and erased when deleted', async () => {
    const registry = await openTestRegistry();
    const { account, secret } = await registry.createAccount({});
    const { registration } = await registry.register(account.id, {
      address: HOME,
      label: 'tv',
      source: 'page',
    });
    expect(await registry.exportAccount(account.id)).toEqual({
      version: 2,
      exportedAt: '2026-01-01T00:00:00.000Z',
      account,
      registrations: [registration],
      updateTokens: [],
      hostnames: [],
      privateNames: [],
      sessions: [],
      signInLinks: [],
      tickets: [],
      repeatedCalls: [],
    });
    expect(await registry.deleteAccount(account.id)).toBe(true);
    expect(await registry.deleteAccount(account.id)).toBe(false);
    expect(await registry.authenticate(secret)).toBeNull();
    expect(await registry.exportAccount(account.id)).toBeNull();
    expect(await registry.listRegistrations(account.id)).toBeNull();
    await expect(registry.register(account.id, { address: HOME, source: 'api' })).rejects.toThrow(
      AccountNotFoundError,
    );
  });
});

describe('registrations', () => {
  it('show the IPv4 address, or the /64 of an IPv6 one', async () => {
    const registry = await openTestRegistry();
    const { account } = await registry.createAccount({});
    const four = await registry.register(account.id, { address: HOME, source: 'api' });
    expect(four).toEqual({
      outcome: 'created',
      registration: {
        id: expect.stringMatching(/^[0-9A-Za-z]{16}$/),
        address: '198.51.99.7',
        label: null,
        source: 'api',
        evidence: 'seen',
        createdAt: '2026-01-01T00:00:00.000Z',
        expiresAt: '2026-04-01T00:00:00.000Z',
      },
      replaced: null,
      changed: true,
    });
    const six = await registry.register(account.id, { address: address('2a00:1450:1:2::9'), source: 'api' });
    expect(six.registration.address).toBe('2a00:1450:1:2::/64');
    expect(await registry.listRegistrations(account.id)).toEqual([four.registration, six.registration]);
    expect(await registry.removeRegistration(account.id, four.registration.id)).toBe(true);
    expect(await registry.removeRegistration(account.id, four.registration.id)).toBe(false);
  });

  it('stop at the limit, or replace the oldest', async () => {
    const registry = await openTestRegistry({ perAccount: 1 });
    const { account } = await registry.createAccount({});
    const first = await registry.register(account.id, { address: HOME, source: 'api' });
    const more = { address: address('198.51.99.8'), source: 'api' as const };
    await expect(registry.register(account.id, more)).rejects.toThrow(TooManyAddressesError);
    const result = await registry.register(account.id, { ...more, replace: 'oldest' });
    expect(result.replaced).toEqual(first.registration);
  });

  it('are made once for an idempotency key', async () => {
    const registry = await openTestRegistry();
    const { account } = await registry.createAccount({});
    const request = { address: HOME, source: 'api' as const, idempotencyKey: 'k' };
    const first = await registry.register(account.id, request);
    expect(await registry.register(account.id, request)).toEqual(first);
    const other = { ...request, address: address('198.51.99.8') };
    await expect(registry.register(account.id, other)).rejects.toThrow(IdempotencyKeyReusedError);
    const another = (await registry.createAccount({})).account;
    expect((await registry.register(another.id, other)).outcome, 'a key is its own account’s').toBe(
      'created',
    );
  });

  it('reject an address that is not public, without it in the error', async () => {
    const registry = await openTestRegistry();
    const { account } = await registry.createAccount({});
    const fault = await registry
      .register(account.id, { address: address('10.1.2.3'), source: 'api' })
      .catch((error) => error);
    expect(fault).toBeInstanceOf(AddressNotPublicError);
    expect(`${fault.message}${JSON.stringify(fault)}`).not.toContain('10.1.2.3');
  });

  it('end with their lease', async () => {
    const clock = new Clock();
    const registry = await openTestRegistry({ now: clock.now, leaseDays: 30 });
    const { account } = await registry.createAccount({});
    await registry.register(account.id, { address: HOME, source: 'api' });
    clock.nowMs += 20 * DAY_MS;
    const renewed = await registry.register(account.id, { address: HOME, source: 'api' });
    expect(renewed.outcome).toBe('renewed');
    expect(renewed.registration.expiresAt).toBe('2026-02-20T00:00:00.000Z');
    clock.nowMs += 31 * DAY_MS;
    expect(await registry.expireLeases(), 'on its last day').toBe(0);
    clock.nowMs += 6 * 3_600_000;
    expect(await registry.expireLeases()).toBe(1);
    expect(await registry.listRegistrations(account.id)).toEqual([]);
  });
});

describe('the feed', () => {
  it('delivers a change with its epoch before the call is answered', async () => {
    const registry = await openTestRegistry();
    const { account } = await registry.createAccount({});
    const order: string[] = [];
    registry.feed.subscribe((changes: readonly Change[], epoch) => {
      for (const change of changes) order.push(`${changeWords(change)} ${epoch === registry.status().epoch}`);
    });
    const { registration } = await registry.register(account.id, { address: HOME, source: 'api' });
    order.push('answered');
    await registry.removeRegistration(account.id, registration.id);
    order.push('answered');
    expect(order).toEqual([
      '1 198.51.99.7/32 us 4 true',
      'answered',
      '2 198.51.99.7/32 gone true',
      'answered',
    ]);
    expect(registry.status()).toMatchObject({ seq: 2, pending: 0, failed: null });
  });

  it('continues after a restart', async () => {
    const dataDir = temporaryDirectory();
    const first = await openTestRegistry({ dataDir });
    const { account, secret } = await first.createAccount({});
    await first.register(account.id, { address: HOME, source: 'api' });
    const { epoch } = first.status();
    await first.close();
    const second = await openTestRegistry({ dataDir });
    expect(second.status()).toMatchObject({ epoch, seq: 1 });
    expect([...entriesOf(await second.feed.snapshot())]).toEqual([['198.51.99.7/32', 'us 4']]);
    expect(await second.authenticate(secret)).toEqual(account);
  });

  it('keeps a change in the log for the configured time only', async () => {
    const dataDir = temporaryDirectory();
    const registry = await openTestRegistry({ dataDir, logSeconds: 0.2 });
    const { account } = await registry.createAccount({});
    await registry.register(account.id, { address: HOME, source: 'api' });
    const { DatabaseSync } = await import('node:sqlite');
    const reader = new DatabaseSync(`${dataDir}/registry.db`, { readOnly: true });
    const count = () => reader.prepare('SELECT count(*) AS count FROM log').get()!['count'];
    expect(count()).toBe(1);
    while (count() !== 0) await setTimeout(20);
    reader.close();
  });
});

it('answers no call once closed', async () => {
  const registry = await openTestRegistry();
  const pending = registry.createAccount({});
  const closing = registry.close();
  await expect(pending, 'what was asked before is done').resolves.toBeDefined();
  await closing;
  await registry.close();
  await expect(registry.createAccount({})).rejects.toThrow(StoreUnavailableError);
});

it('does not open with an invalid region or lease', async () => {
  await expect(openTestRegistry({ defaultRegion: () => 'fr' })).rejects.toThrow(InvalidFieldError);
  await expect(openTestRegistry({ leaseDays: 0 })).rejects.toThrow(InvalidFieldError);
});
