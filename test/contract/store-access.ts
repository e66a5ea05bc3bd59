import { beforeEach, describe, expect, it } from 'vitest';
import { formatPrefix } from '../../src/net/index.ts';
import type {
  AddCredentialStep,
  RegistrationRecord,
  SettleHostnameStep,
  Store,
} from '../../src/registry/store/store.ts';
import { DAY_MS, hash, mark, newAccount, prefix, registration, START_MS } from './store-support.ts';

const HOUR_MS = 3_600_000;

function pass(secret: string, changes: Partial<AddCredentialStep> = {}): AddCredentialStep {
  return {
    kind: 'session',
    accountId: 'a',
    hash: hash(secret),
    nowMs: START_MS,
    expiresAtMs: START_MS + HOUR_MS,
    limit: 3,
    ...changes,
  };
}

/** Promises of every store about credentials, update tokens and host names. */
export function accessContract(get: () => Store): void {
  let store: Store;
  beforeEach(async () => {
    store = get();
    await store.createAccount(newAccount('a'));
    await store.createAccount(newAccount('b'));
  });

  const find = async (secret: string, nowMs = START_MS, kind: AddCredentialStep['kind'] = 'session') =>
    (await store.findCredential({ kind, hash: hash(secret), nowMs }))?.account.id ?? null;
  const addresses = async (id = 'a') =>
    ((await store.readAccount(id))?.registrations ?? []).map((held) => formatPrefix(held.prefix)).sort();

  describe('credentials', () => {
    it('are valid until they end, and only as their kind', async () => {
      expect(await store.addCredential(pass('one'))).toBe(true);
      expect(
        await store.findCredential({ kind: 'session', hash: hash('one'), nowMs: START_MS }),
      ).toMatchObject({
        account: { id: 'a' },
        hash: hash('one'),
        expiresAtMs: START_MS + HOUR_MS,
      });
      expect(await find('one', START_MS + HOUR_MS - 1)).toBe('a');
      expect(await find('one', START_MS + HOUR_MS), 'at its end').toBeNull();
      expect(await find('one', START_MS, 'link')).toBeNull();
      expect(await find('two')).toBeNull();
      expect(await store.addCredential(pass('two', { accountId: 'nobody' }))).toBe(false);
    });

    it('can be redeemed once', async () => {
      await store.addCredential(pass('link', { kind: 'link' }));
      const take = (nowMs = START_MS) => store.redeemCredential({ kind: 'link', hash: hash('link'), nowMs });
      expect(await take(START_MS + HOUR_MS), 'too late').toBeNull();
      const all = await Promise.all(Array.from({ length: 5 }, () => take()));
      expect(all.filter((taken) => taken?.account.id === 'a')).toHaveLength(1);
      expect(await take()).toBeNull();
    });

    it('are renewed while valid, and removed', async () => {
      await store.addCredential(pass('one'));
      const renew = (nowMs: number) =>
        store.renewCredential({ kind: 'session', hash: hash('one'), nowMs, expiresAtMs: nowMs + HOUR_MS });
      expect(await renew(START_MS + HOUR_MS / 2)).toBe(true);
      expect(await find('one', START_MS + HOUR_MS)).toBe('a');
      expect(await renew(START_MS + 2 * HOUR_MS), 'over').toBe(false);
      expect(await store.removeCredential({ kind: 'session', hash: hash('one') })).toBe(true);
      expect(await store.removeCredential({ kind: 'session', hash: hash('one') })).toBe(false);
      expect(await find('one')).toBeNull();
    });

    it('are limited per kind: the one that ends first gives way', async () => {
      const ends = [3, 1, 2, 4];
      for (const [index, hours] of ends.entries()) {
        await store.addCredential(pass(`s${index}`, { expiresAtMs: START_MS + hours * HOUR_MS }));
      }
      await store.addCredential(pass('link', { kind: 'link' }));
      await store.addCredential(pass('other', { accountId: 'b' }));
      expect(await Promise.all(['s0', 's1', 's2', 's3', 'other'].map((name) => find(name)))).toEqual([
        'a',
        null,
        'a',
        'a',
        'b',
      ]);
      expect((await store.readAccount('a'))?.sessions).toEqual(
        [2, 3, 4].map((hours) => ({ createdAtMs: START_MS, expiresAtMs: START_MS + hours * HOUR_MS })),
      );
    });

    it('end with the secret, and with the account', async () => {
      await store.addCredential(pass('one'));
      await store.addCredential(pass('link', { kind: 'link' }));
      await store.addCredential(pass('theirs', { accountId: 'b' }));
      await store.setSecret({ id: 'a', secretHash: hash('new') });
      expect([await find('one'), await find('link', START_MS, 'link')]).toEqual([null, null]);
      await store.deleteAccount('b');
      expect(await find('theirs')).toBeNull();
    });

    it('are forgotten by the housekeeping once expired', async () => {
      await store.addCredential(pass('one'));
      await store.addCredential(pass('two', { expiresAtMs: START_MS + 5 * HOUR_MS }));
      await store.expireLeases({ nowMs: START_MS + 2 * HOUR_MS, limit: 100 });
      expect((await store.readAccount('a'))?.sessions).toHaveLength(1);
    });
  });

  describe('update tokens', () => {
    const token = (id: string, changes: object = {}) => ({
      accountId: 'a',
      token: { id, label: `label of ${id}`, createdAtMs: START_MS },
      hash: hash(`token ${id}`),
      limit: 2,
      idempotency: null,
      ...changes,
    });

    it('are found by hash until removed, and limited in number', async () => {
      expect(await store.addUpdateToken(token('x'))).toEqual({ outcome: 'created', token: token('x').token });
      expect(await store.findAccountByUpdateToken(hash('token x'))).toMatchObject({
        account: { id: 'a' },
        hash: hash('token x'),
      });
      expect(await store.findAccountByUpdateToken(hash('token y'))).toBeNull();
      expect((await store.addUpdateToken(token('y'))).outcome).toBe('created');
      expect((await store.addUpdateToken(token('z'))).outcome).toBe('too-many');
      expect((await store.addUpdateToken(token('z', { accountId: 'nobody' }))).outcome).toBe('no-account');
      expect((await store.readAccount('a'))?.updateTokens).toEqual([token('x').token, token('y').token]);
      expect(await store.removeUpdateToken({ accountId: 'b', id: 'x' }), "another's").toBe(false);
      expect(await store.removeUpdateToken({ accountId: 'a', id: 'x' })).toBe(true);
      expect(await store.removeUpdateToken({ accountId: 'a', id: 'x' })).toBe(false);
      expect(await store.findAccountByUpdateToken(hash('token x'))).toBeNull();
    });

    it('end with the secret, and with the account', async () => {
      await store.addUpdateToken(token('x'));
      await store.addUpdateToken({ ...token('theirs'), accountId: 'b' });
      await store.setSecret({ id: 'a', secretHash: hash('new') });
      expect(await store.findAccountByUpdateToken(hash('token x'))).toBeNull();
      expect((await store.readAccount('a'))?.updateTokens).toEqual([]);
      expect(await store.findAccountByUpdateToken(hash('token theirs')), "another's stays").not.toBeNull();
      expect((await store.addUpdateToken(token('x'))).outcome, 'the account may make new ones').toBe(
        'created',
      );
      await store.deleteAccount('a');
      expect(await store.findAccountByUpdateToken(hash('token x'))).toBeNull();
    });

    it('are made once by a repeated call, and get the hash of the repeat', async () => {
      const idempotency = mark('key');
      await store.addUpdateToken(token('x', { idempotency }));
      const again = token('y', { idempotency, hash: hash('fresh') });
      expect(await store.addUpdateToken(again)).toEqual({ outcome: 'repeated', token: token('x').token });
      expect(await store.findAccountByUpdateToken(hash('token x'))).toBeNull();
      expect((await store.findAccountByUpdateToken(hash('fresh')))?.account.id).toBe('a');
      const other = token('z', { idempotency: mark('key', 'another body') });
      expect((await store.addUpdateToken(other)).outcome).toBe('key-reused');
    });
  });

  describe('a label that moves', () => {
    const move = (address: string, labels: string[], nowMs = START_MS) =>
      store.register(registration('a', address, { label: labels[0], movedLabels: labels, nowMs }));

    it('ends its old address of the same family at once', async () => {
      expect(await move('198.51.99.1', ['home'])).toMatchObject({ outcome: 'created', changed: true });
      expect(await move('2a00:0:0:1::9', ['home'])).toMatchObject({ outcome: 'created', changed: true });
      expect(await move('198.51.99.2', ['home'])).toMatchObject({ outcome: 'created', changed: true });
      expect(await addresses()).toEqual(['198.51.99.2/32', '2a00:0:0:1::/64']);
    });

    it('reports no change if the address already has the label, and renews it', async () => {
      await move('198.51.99.1', ['home']);
      const again = await move('198.51.99.1', ['home'], START_MS + DAY_MS);
      expect(again).toMatchObject({ outcome: 'renewed', changed: false });
      expect((again as { registration: RegistrationRecord }).registration.expiresAtMs).toBe(
        START_MS + 91 * DAY_MS,
      );
    });

    it('changes nothing past the limit of the account', async () => {
      await move('198.51.99.1', ['home']);
      await move('198.51.99.2', ['tv']);
      await store.updateAccount({ id: 'a', perAccount: 1 });
      const before = JSON.stringify([await store.readAccount('a'), await store.state()]);
      expect(await move('198.51.99.3', ['home'])).toEqual({ outcome: 'too-many', perAccount: 1 });
      expect(JSON.stringify([await store.readAccount('a'), await store.state()])).toBe(before);
      await store.updateAccount({ id: 'a', perAccount: 2 });
      expect(await move('198.51.99.3', ['home'])).toMatchObject({ outcome: 'created', replaced: null });
      expect(await addresses()).toEqual(['198.51.99.2/32', '198.51.99.3/32']);
    });

    it('replaces another label of an address', async () => {
      await store.register(registration('a', '198.51.99.1', { label: 'tv' }));
      expect(await move('198.51.99.1', ['home'])).toMatchObject({
        outcome: 'renewed',
        changed: true,
        registration: { label: 'home' },
      });
      expect(await move('198.51.99.1', ['home'])).toMatchObject({ changed: false });
    });

    it('moves several labels at once, without touching others and other accounts', async () => {
      await move('198.51.99.1', ['home']);
      await move('198.51.99.2', ['den']);
      await store.register(registration('a', '198.51.99.3', { label: 'cabin' }));
      await store.register(registration('b', '198.51.99.1', { label: 'home' }));
      expect(await move('198.51.99.4', ['home', 'den'])).toMatchObject({ changed: true });
      expect(await addresses()).toEqual(['198.51.99.3/32', '198.51.99.4/32']);
      expect(await addresses('b')).toEqual(['198.51.99.1/32']);
    });

    it('counts its old address as free at the limit', async () => {
      await store.updateAccount({ id: 'a', perAccount: 1 });
      await move('198.51.99.1', ['home']);
      expect(await move('198.51.99.2', ['home'])).toMatchObject({ outcome: 'created', replaced: null });
    });
  });

  describe('host names', () => {
    const add = (id: string, hostname = `${id}.example`, changes: object = {}) =>
      store.addHostname({ accountId: 'a', id, hostname, nowMs: START_MS, limit: 2, ...changes });
    let made = 0;
    const settle = (id: string, found: string[], changes: Partial<SettleHostnameStep> = {}) => {
      const nowMs = changes.nowMs ?? START_MS;
      return store.settleHostname({
        accountId: 'a',
        id,
        prefixes: found.map(prefix),
        families: [4, 6],
        ids: found.map(() => `made${++made}`),
        seen: null,
        state: 'followed',
        nowMs,
        expiresAtMs: nowMs + 90 * DAY_MS,
        renewBeforeMs: nowMs + 89 * DAY_MS,
        nextAtMs: nowMs + HOUR_MS,
        ...changes,
      });
    };
    const states = async () =>
      (await store.readAccount('a'))?.hostnames.map(({ hostname, state, checkedAtMs }) => [
        hostname,
        state,
        checkedAtMs,
      ]);

    it('are added once, up to the limit', async () => {
      const record = {
        id: 'h',
        hostname: 'h.example',
        state: 'waiting',
        createdAtMs: START_MS,
        checkedAtMs: null,
      };
      expect(await add('h')).toEqual({ outcome: 'created', hostname: record });
      expect(await add('i', 'h.example')).toEqual({ outcome: 'exists', hostname: record });
      expect((await add('i')).outcome).toBe('created');
      expect((await add('j')).outcome).toBe('too-many');
      expect((await add('j', 'j.example', { accountId: 'nobody' })).outcome).toBe('no-account');
      expect((await add('k', 'h.example', { accountId: 'b' })).outcome, "another account's").toBe('created');
    });

    it('are due at once, then at the given time, the longest overdue first', async () => {
      await add('h');
      await add('i', 'i.example', { nowMs: START_MS - 5 });
      const due = async (nowMs: number, limit = 9) =>
        (await store.dueHostnames({ nowMs, limit })).map(
          ({ accountId, hostname }) => `${accountId} ${hostname.id}`,
        );
      expect(await due(START_MS)).toEqual(['a i', 'a h']);
      expect(await due(START_MS, 1)).toEqual(['a i']);
      await store.updateAccount({ id: 'a', suspended: true });
      const found = await store.dueHostnames({ nowMs: START_MS, limit: 9 });
      expect(found.map(({ suspended }) => suspended)).toEqual([true, true]);
      await store.updateAccount({ id: 'a', suspended: false });
      await settle('i', []);
      expect(await due(START_MS + HOUR_MS - 1)).toEqual(['a h']);
      expect(await due(START_MS + HOUR_MS)).toEqual(['a h', 'a i']);
      await store.removeHostname({ accountId: 'a', id: 'h' });
      await store.deleteAccount('a');
      expect(await due(START_MS + DAY_MS)).toEqual([]);
    });

    it('register their present addresses with the name as label, and end the former ones', async () => {
      await add('h');
      expect(await settle('h', ['198.51.99.1', '2a00:0:0:1::9'])).toBe(true);
      expect((await store.readAccount('a'))?.registrations[0]).toMatchObject({
        label: 'h.example',
        source: 'hostname',
        expiresAtMs: START_MS + 90 * DAY_MS,
      });
      await settle('h', ['198.51.99.2']);
      expect(await addresses()).toEqual(['198.51.99.2/32']);
      expect(await states()).toEqual([['h.example', 'followed', START_MS]]);
      await settle('h', [], { state: 'not-usable' });
      expect(await addresses()).toEqual([]);
      expect(await settle('nothing', [])).toBe(false);
    });

    it('keep the addresses of families that were not looked up', async () => {
      await add('h');
      await settle('h', ['198.51.99.1', '2a00:0:0:1::9']);
      await settle('h', ['198.51.99.2'], { families: [4] });
      expect(await addresses()).toEqual(['198.51.99.2/32', '2a00:0:0:1::/64']);
      await settle('h', [], { families: [], state: 'failing', nowMs: START_MS + DAY_MS + 1 });
      expect(await addresses()).toHaveLength(2);
      expect(await states()).toEqual([['h.example', 'failing', START_MS + DAY_MS]]);
    });

    it('renew leases when due, not at each look-up', async () => {
      await add('h');
      await settle('h', ['198.51.99.1']);
      const expiresAt = async () => (await store.readAccount('a'))?.registrations[0].expiresAtMs;
      await settle('h', ['198.51.99.1'], { nowMs: START_MS + HOUR_MS });
      expect(await expiresAt()).toBe(START_MS + 90 * DAY_MS);
      await settle('h', ['198.51.99.1'], { nowMs: START_MS + 2 * DAY_MS });
      expect(await expiresAt()).toBe(START_MS + 92 * DAY_MS);
    });

    it('never displace another address at the limit', async () => {
      await store.updateAccount({ id: 'a', perAccount: 2 });
      await store.register(registration('a', '198.51.99.9'));
      await add('h');
      await settle('h', ['198.51.99.1', '198.51.99.2', '198.51.99.3']);
      expect(await addresses()).toEqual(['198.51.99.1/32', '198.51.99.9/32']);
      expect((await states())?.[0].slice(0, 2)).toEqual(['h.example', 'too-many']);
    });

    it('do not end an address that was also registered in another way', async () => {
      await store.register(registration('a', '198.51.99.1', { label: 'tv', source: 'page' }));
      await add('h');
      await settle('h', ['198.51.99.1']);
      await settle('h', ['198.51.99.2']);
      expect(await addresses()).toEqual(['198.51.99.1/32', '198.51.99.2/32']);
    });

    it('end with the secret, together with their registrations', async () => {
      await add('h');
      await settle('h', ['198.51.99.1']);
      await store.register(registration('a', '198.51.99.2'));
      await store.setSecret({ id: 'a', secretHash: hash('new') });
      expect(await states()).toEqual([]);
      expect(await addresses()).toEqual(['198.51.99.2/32']);
      expect(await store.dueHostnames({ nowMs: START_MS + DAY_MS, limit: 9 })).toEqual([]);
    });

    it('end their registrations when removed', async () => {
      await add('h');
      await settle('h', ['198.51.99.1']);
      await store.register(registration('a', '198.51.99.2', { label: 'h.example' }));
      expect(await store.removeHostname({ accountId: 'b', id: 'h' })).toBe(false);
      expect(await store.removeHostname({ accountId: 'a', id: 'h' })).toBe(true);
      expect(await store.removeHostname({ accountId: 'a', id: 'h' })).toBe(false);
      expect(await addresses()).toEqual(['198.51.99.2/32']);
    });
  });
}
