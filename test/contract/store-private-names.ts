import { beforeEach, describe, expect, it } from 'vitest';
import { formatPrefix } from '../../src/net/index.ts';
import type { ClaimPrivateNameStep, Store } from '../../src/registry/store/store.ts';
import { DAY_MS, hash, mark, newAccount, prefix, Recorder, registration, START_MS } from './store-support.ts';

let claims = 0;

function claim(token: string, address: string, changes: Partial<ClaimPrivateNameStep> = {}) {
  const nowMs = changes.nowMs ?? START_MS;
  return {
    hash: hash(token),
    id: `claim${++claims}`,
    prefix: prefix(address),
    mayMove: false,
    nowMs,
    expiresAtMs: nowMs + 90 * DAY_MS,
    renewBeforeMs: nowMs + 89 * DAY_MS,
    ...changes,
  };
}

/** Promises of every store about private names. */
export function privateNamesContract(get: () => Store): void {
  let store: Store;
  beforeEach(async () => {
    store = get();
    await store.createAccount(newAccount('a', { perAccount: 3 }));
    await store.createAccount(newAccount('b'));
    await add('tv');
  });

  const add = (id: string, changes: object = {}) =>
    store.addPrivateName({
      accountId: 'a',
      name: { id, label: `label of ${id}`, homeOnly: true, createdAtMs: START_MS, held: [] },
      hash: hash(id),
      limit: 2,
      idempotency: null,
      ...changes,
    });
  const names = async (id = 'a') => (await store.readAccount(id))?.privateNames ?? null;
  const held = async (id = 'a') =>
    ((await store.readAccount(id))?.registrations ?? []).map((one) => formatPrefix(one.prefix)).sort();
  const ask = async (token: string, address: string, changes: Partial<ClaimPrivateNameStep> = {}) =>
    (await store.claimPrivateName(claim(token, address, changes))).outcome;

  describe('private names', () => {
    it('are listed in order of creation, and limited', async () => {
      expect((await add('phone')).outcome).toBe('created');
      expect((await add('third')).outcome).toBe('too-many');
      expect((await add('lost', { accountId: 'nobody' })).outcome).toBe('no-account');
      expect(await names()).toEqual([
        { id: 'tv', label: 'label of tv', homeOnly: true, createdAtMs: START_MS, held: [] },
        { id: 'phone', label: 'label of phone', homeOnly: true, createdAtMs: START_MS, held: [] },
      ]);
      expect(await names('b')).toEqual([]);
    });

    it('are made once by a repeated call, which gets a fresh token', async () => {
      const first = await add('phone', { hash: hash('one'), idempotency: mark('key') });
      const second = await add('other', { hash: hash('two'), idempotency: mark('key') });
      expect([first.outcome, second.outcome]).toEqual(['created', 'repeated']);
      expect(await names()).toHaveLength(2);
      expect(await ask('one', '198.51.99.1')).toBe('unknown');
      expect(await ask('two', '198.51.99.1')).toBe('made');
      expect((await add('more', { idempotency: mark('key', 'another body') })).outcome).toBe('key-reused');
    });

    it('register the address of a query, as seen, and renew it when it is due', async () => {
      const recorder = new Recorder(store);
      expect(await ask('tv', '198.51.99.1')).toBe('made');
      expect(recorder.take()).toHaveLength(1);
      const [made] = (await store.readAccount('a'))!.registrations;
      expect(made).toMatchObject({ source: 'private-name', evidence: 'seen', label: 'label of tv' });
      expect((await names())?.[0].held).toEqual([made.id]);
      expect(await ask('tv', '198.51.99.1', { nowMs: START_MS + DAY_MS / 2 })).toBe('own');
      expect((await store.readAccount('a'))!.registrations[0].expiresAtMs).toBe(made.expiresAtMs);
      expect(await ask('tv', '198.51.99.1', { nowMs: START_MS + 2 * DAY_MS })).toBe('own');
      expect((await store.readAccount('a'))!.registrations[0].expiresAtMs).toBe(START_MS + 92 * DAY_MS);
      recorder.stop();
    });

    it('hold one address of each family, and move only when they may', async () => {
      expect(await ask('tv', '198.51.99.1')).toBe('made');
      expect(await ask('tv', '2a00:0:0:1::1')).toBe('made');
      expect(await ask('tv', '198.51.99.2')).toBe('occupied');
      expect(await held()).toEqual(['198.51.99.1/32', '2a00:0:0:1::/64']);
      expect(await ask('tv', '198.51.99.2', { mayMove: true })).toBe('moved');
      expect(await held()).toEqual(['198.51.99.2/32', '2a00:0:0:1::/64']);
      expect((await names())?.[0].held).toHaveLength(2);
    });

    it('never take the place of another registration', async () => {
      await store.register(registration('a', '198.51.99.8'));
      await store.register(registration('a', '198.51.99.9'));
      expect(await ask('tv', '198.51.99.9')).toBe('other');
      expect((await names())?.[0].held).toEqual([]);
      expect(await ask('tv', '198.51.99.1')).toBe('made');
      expect(await ask('tv', '198.51.99.2', { mayMove: true }), 'at the limit, in its own place').toBe(
        'moved',
      );
      await add('phone');
      expect(await ask('phone', '198.51.99.3', { mayMove: true })).toBe('too-many');
      expect(await held()).toEqual(['198.51.99.2/32', '198.51.99.8/32', '198.51.99.9/32']);
    });

    it('register anew after their registration was removed', async () => {
      await ask('tv', '198.51.99.1');
      const [made] = (await store.readAccount('a'))!.registrations;
      await store.removeRegistration({ accountId: 'a', id: made.id });
      expect(await ask('tv', '198.51.99.2')).toBe('made');
    });

    it('raise the evidence of an address that was told', async () => {
      await store.register(registration('a', '198.51.99.1', { evidence: 'told' }));
      expect(await ask('tv', '198.51.99.1')).toBe('other');
      expect((await store.readAccount('a'))!.registrations[0].evidence).toBe('seen');
    });

    it('get a new token and keep what they hold', async () => {
      await ask('tv', '198.51.99.1');
      const step = { accountId: 'a', id: 'tv', hash: hash('new') };
      expect(await store.changePrivateName(step)).toMatchObject({ id: 'tv', homeOnly: true });
      expect(await ask('tv', '198.51.99.1')).toBe('unknown');
      expect(await ask('new', '198.51.99.1')).toBe('own');
      expect(
        await store.changePrivateName({ accountId: 'a', id: 'tv', homeOnly: false, label: 'Den' }),
      ).toMatchObject({ homeOnly: false, label: 'Den' });
      expect(await ask('new', '198.51.99.1')).toBe('own');
      expect(await store.changePrivateName({ accountId: 'b', id: 'tv', homeOnly: true })).toBeNull();
    });

    it('end with what they hold, with the secret, and with the account', async () => {
      await store.register(registration('a', '198.51.99.8'));
      await ask('tv', '198.51.99.1');
      expect(await store.removePrivateName({ accountId: 'b', id: 'tv' })).toBe(false);
      expect(await store.removePrivateName({ accountId: 'a', id: 'tv' })).toBe(true);
      expect(await store.removePrivateName({ accountId: 'a', id: 'tv' })).toBe(false);
      expect(await held()).toEqual(['198.51.99.8/32']);
      expect(await ask('tv', '198.51.99.1')).toBe('unknown');

      await add('phone');
      await ask('phone', '198.51.99.2');
      await store.setSecret({ id: 'a', secretHash: hash('another') });
      expect(await ask('phone', '198.51.99.2')).toBe('unknown');
      expect([await held(), await names()]).toEqual([['198.51.99.8/32'], []]);

      await add('pc');
      await store.deleteAccount('a');
      expect(await ask('pc', '198.51.99.3')).toBe('unknown');
    });

    it('register nothing for a suspended account', async () => {
      await ask('tv', '198.51.99.1');
      await store.updateAccount({ id: 'a', suspended: true });
      expect(await ask('tv', '198.51.99.1')).toBe('unknown');
      await store.updateAccount({ id: 'a', suspended: false });
      expect(await ask('tv', '198.51.99.1')).toBe('own');
    });
  });
}
