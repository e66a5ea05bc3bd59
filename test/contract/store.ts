import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  MAX_IDEMPOTENCY_KEYS_PER_ACCOUNT,
  type RegisterResult,
  type Store,
} from '../../src/registry/store/store.ts';
import { accessContract } from './store-access.ts';
import { daysContract } from './store-days.ts';
import { evidenceContract } from './store-evidence.ts';
import { lapsesContract } from './store-lapses.ts';
import { storeModel } from './store-model.ts';
import { privateNamesContract } from './store-private-names.ts';
import { serviceDaysContract } from './store-service-days.ts';
import {
  changeWords,
  DAY_MS,
  entriesOf,
  hash,
  LEASE_OVER_MS,
  mark,
  newAccount,
  Recorder,
  registration,
  START_MS,
  sorted,
} from './store-support.ts';

const HOME = '198.51.99.7';
const AWAY = '198.51.99.8';
const HOME6 = '2a00:1450:1:2::9';

function made(result: RegisterResult): Extract<RegisterResult, { registration: unknown }> {
  if (!('registration' in result)) throw new Error(`not registered: ${result.outcome}`);
  return result;
}

/** Promises of every store. `open` returns an empty one, which the suite closes. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`the store on ${name}`, () => {
    let store: Store;
    let heard: Recorder;

    beforeEach(async () => {
      store = await open();
      heard = new Recorder(store);
    });
    afterEach(() => store.close());

    async function entries(): Promise<[string, string][]> {
      return sorted(entriesOf(await store.snapshot()));
    }

    describe('accounts', () => {
      it('keeps an account as it was created', async () => {
        const step = newAccount('a', { services: { netflix: 'gb' }, perAccount: 3 });
        expect(await store.createAccount(step)).toEqual({ outcome: 'created', account: step.account });
        expect(await store.getAccount('a')).toEqual(step.account);
        expect(await store.getAccount('b')).toBeNull();
      });

      it('lists pages ordered by id', async () => {
        for (const id of ['b', 'C', 'a', 'd']) await store.createAccount(newAccount(id));
        const ids = async (after: string | null, limit: number) =>
          (await store.listAccounts({ after, limit })).map((account) => account.id);
        expect(await ids(null, 3)).toEqual(['C', 'a', 'b']);
        expect(await ids('b', 3)).toEqual(['d']);
        expect(await ids('bb', 3), 'after one that is gone').toEqual(['d']);
      });

      it('finds an account by the hash of its present secret only', async () => {
        await store.createAccount(newAccount('a'));
        const old = hash('secret of a');
        expect(await store.findAccountBySecret(old)).toMatchObject({ account: { id: 'a' }, secretHash: old });
        expect(await store.setSecret({ id: 'a', secretHash: hash('new') })).toBe(true);
        expect(await store.findAccountBySecret(old)).toBeNull();
        expect((await store.findAccountBySecret(hash('new')))?.account.id).toBe('a');
        expect(await store.setSecret({ id: 'b', secretHash: hash('new') })).toBe(false);
      });

      it('creates one account for a repeated call, with the secret of the repeat', async () => {
        const first = { ...newAccount('a'), idempotency: mark('key') };
        await store.createAccount(first);
        const again = { ...newAccount('b'), idempotency: mark('key') };
        expect(await store.createAccount(again)).toEqual({ outcome: 'repeated', account: first.account });
        expect(await store.listAccounts({ after: null, limit: 9 })).toHaveLength(1);
        expect(await store.findAccountBySecret(first.secretHash)).toBeNull();
        expect((await store.findAccountBySecret(again.secretHash))?.account.id).toBe('a');
      });

      it('rejects a key with another body until the key expires', async () => {
        await store.createAccount({ ...newAccount('a'), idempotency: mark('key') });
        const other = { ...newAccount('b'), idempotency: mark('key', 'other', START_MS + 2 * DAY_MS) };
        expect(await store.createAccount(other)).toEqual({ outcome: 'key-reused' });
        expect(await store.getAccount('b')).toBeNull();
        expect(await store.createAccount({ ...other, nowMs: START_MS + DAY_MS })).toMatchObject({
          outcome: 'created',
        });
      });

      it('deletes an account with its registrations, its marks and its entries', async () => {
        await store.createAccount(newAccount('a'));
        await store.register(registration('a', HOME, { idempotency: mark('key') }));
        heard.take();
        expect(await store.deleteAccount('a')).toBe(true);
        expect(await store.deleteAccount('a')).toBe(false);
        expect(heard.take()).toEqual([`2 ${HOME}/32 gone`]);
        expect(await store.readAccount('a')).toBeNull();
        expect(await entries()).toEqual([]);
        await store.createAccount(newAccount('a'));
        const result = await store.register(registration('a', AWAY, { idempotency: mark('key') }));
        expect(result.outcome).toBe('created');
      });

      it('answers for a missing account', async () => {
        expect(await store.updateAccount({ id: 'a', region: 'gb' })).toBeNull();
        expect(await store.readAccount('a')).toBeNull();
        expect(await store.register(registration('a', HOME))).toEqual({ outcome: 'no-account' });
        expect(await store.removeRegistration({ accountId: 'a', id: 'x' })).toBe(false);
      });

      it('keeps text unchanged, with quotes, NUL and commands in it', async () => {
        const label = 'a\'"; DROP TABLE account; --\0 FLUSHALL\r\n ☃';
        await store.createAccount(newAccount(label));
        await store.register(registration(label, HOME, { label }));
        const found = await store.readAccount(label);
        expect(found?.account.id).toBe(label);
        expect(found?.registrations[0].label).toBe(label);
      });
    });

    describe('registrations', () => {
      beforeEach(() => store.createAccount(newAccount('a', { perAccount: 2 })));

      it('registers an address, and renews it the second time', async () => {
        const first = made(await store.register(registration('a', HOME, { label: 'home' })));
        expect(first.outcome).toBe('created');
        const nowMs = START_MS + DAY_MS;
        const again = made(await store.register(registration('a', HOME, { nowMs, source: 'page' })));
        expect(again.outcome).toBe('renewed');
        expect(again.registration).toEqual({ ...first.registration, expiresAtMs: nowMs + 90 * DAY_MS });
        expect(heard.take()).toEqual([`1 ${HOME}/32 us 4`]);
      });

      it('changes a given label, and removes it for null', async () => {
        await store.register(registration('a', HOME, { label: 'home' }));
        const labelOf = async (label: string | null | undefined) =>
          made(await store.register(registration('a', HOME, { label }))).registration.label;
        expect(await labelOf(undefined)).toBe('home');
        expect(await labelOf('den')).toBe('den');
        expect(await labelOf(null)).toBeNull();
      });

      it('rejects an address past the limit, and still renews', async () => {
        await store.register(registration('a', HOME));
        await store.register(registration('a', AWAY));
        const more = registration('a', '198.51.99.9');
        expect(await store.register(more)).toEqual({ outcome: 'too-many', perAccount: 2 });
        expect((await store.readAccount('a'))?.registrations).toHaveLength(2);
        expect((await store.register(registration('a', HOME))).outcome).toBe('renewed');
      });

      it('replaces the oldest renewal in the same step, whatever the clock says', async () => {
        const away = made(await store.register(registration('a', AWAY, { nowMs: START_MS + DAY_MS })));
        await store.register(registration('a', HOME));
        await store.register(registration('a', AWAY, { nowMs: START_MS - DAY_MS }));
        heard.take();
        const result = made(
          await store.register(registration('a', '198.51.99.9', { replaceOldest: true, nowMs: START_MS })),
        );
        expect(result.replaced?.prefix).toEqual(registration('a', HOME).prefix);
        expect(heard.take()).toEqual([`3 ${HOME}/32 gone`, '4 198.51.99.9/32 us 4']);
        const left = (await store.readAccount('a'))!.registrations.map((one) => one.id);
        expect(left).toEqual([away.registration.id, result.registration.id]);
      });

      it('shrinks to a lowered limit', async () => {
        await store.register(registration('a', HOME));
        await store.register(registration('a', AWAY));
        await store.updateAccount({ id: 'a', perAccount: 1 });
        const result = made(await store.register(registration('a', HOME6, { replaceOldest: true })));
        expect(result.replaced?.prefix).toEqual(registration('a', HOME).prefix);
        expect(await entries()).toEqual([['2a00:1450:1:2::/64', 'us 6']]);
      });

      it('does not count expired leases', async () => {
        await store.register(registration('a', HOME));
        await store.register(registration('a', AWAY, { expiresAtMs: START_MS + DAY_MS }));
        const nowMs = START_MS + DAY_MS + LEASE_OVER_MS;
        const result = made(await store.register(registration('a', HOME6, { nowMs })));
        expect(result.replaced).toBeNull();
        expect((await entries()).map(([key]) => key)).toEqual([`${HOME}/32`, '2a00:1450:1:2::/64']);
      });

      it('removes a registration by id, for its own account only', async () => {
        await store.createAccount(newAccount('b'));
        const { id } = made(await store.register(registration('a', HOME))).registration;
        expect(await store.removeRegistration({ accountId: 'b', id })).toBe(false);
        expect(await store.removeRegistration({ accountId: 'a', id })).toBe(true);
        expect(await store.removeRegistration({ accountId: 'a', id })).toBe(false);
        expect(heard.take()).toEqual([`1 ${HOME}/32 us 4`, `2 ${HOME}/32 gone`]);
      });

      it('expires at most the given number of leases', async () => {
        await store.createAccount(newAccount('b'));
        for (const [id, address] of [
          ['a', HOME],
          ['a', AWAY],
          ['b', AWAY],
        ]) {
          await store.register(registration(id, address, { expiresAtMs: START_MS + DAY_MS }));
        }
        await store.register(registration('b', HOME6));
        expect(await store.expireLeases({ nowMs: START_MS + 2 * DAY_MS, limit: 9 })).toBe(0);
        const nowMs = START_MS + DAY_MS + LEASE_OVER_MS;
        expect(await store.expireLeases({ nowMs, limit: 2 })).toBe(2);
        expect(await store.expireLeases({ nowMs, limit: 2 })).toBe(1);
        expect(await entries()).toEqual([['2a00:1450:1:2::/64', 'us 6']]);
      });

      it('answers a repeated call like the first, and registers once', async () => {
        const idempotency = mark('key');
        const first = made(await store.register(registration('a', HOME, { idempotency, label: 'x' })));
        const again = made(await store.register(registration('a', HOME, { idempotency, label: 'x' })));
        expect(again).toEqual(first);
        await store.removeRegistration({ accountId: 'a', id: first.registration.id });
        heard.take();
        const late = made(await store.register(registration('a', HOME, { idempotency, label: 'x' })));
        expect(late).toEqual(first);
        expect(heard.take(), 'a removed address does not come back by a late repeat').toEqual([]);
        const other = registration('a', AWAY, { idempotency: mark('key', 'other') });
        expect(await store.register(other)).toEqual({ outcome: 'key-reused' });
      });

      it('remembers a bounded number of repeats', async () => {
        const steps = Array.from({ length: MAX_IDEMPOTENCY_KEYS_PER_ACCOUNT + 1 }, (_, index) =>
          registration('a', HOME, { idempotency: mark(`${index}`, 'body', START_MS + DAY_MS + index) }),
        );
        await Promise.all(steps.map((step) => store.register(step)));
        expect((await store.register(steps[1])).outcome, 'still known').toBe('renewed');
        expect((await store.register({ ...steps[0], prefix: registration('a', AWAY).prefix })).outcome).toBe(
          'created',
        );
      });
    });

    describe('the allowlist', () => {
      beforeEach(async () => {
        await store.createAccount(newAccount('a'));
        await store.createAccount(newAccount('b', { region: 'gb', services: { hulu: 'off' } }));
      });

      it('has one entry for an address of several accounts, until the last one ends', async () => {
        const a = made(await store.register(registration('a', HOME))).registration;
        const b = made(await store.register(registration('b', HOME))).registration;
        await store.removeRegistration({ accountId: 'b', id: b.id });
        await store.removeRegistration({ accountId: 'a', id: a.id });
        expect(heard.take()).toEqual([
          `1 ${HOME}/32 us 4`,
          `2 ${HOME}/32 gb 4 hulu=off`,
          `3 ${HOME}/32 us 4`,
          `4 ${HOME}/32 gone`,
        ]);
      });

      it('uses the profile of the latest renewal', async () => {
        await store.register(registration('a', HOME));
        await store.register(registration('b', HOME));
        heard.take();
        await store.register(registration('b', HOME));
        expect(heard.take(), 'the same account renews').toEqual([]);
        await store.register(registration('a', HOME, { nowMs: START_MS - DAY_MS }));
        expect(heard.take(), 'the clock went back').toEqual([`3 ${HOME}/32 us 4`]);
      });

      it('changes all entries of an account that gains or loses a family', async () => {
        await store.register(registration('a', HOME));
        await store.register(registration('a', AWAY));
        heard.take();
        const six = made(await store.register(registration('a', HOME6))).registration;
        expect(heard.take()).toEqual([
          `3 ${HOME}/32 us 46`,
          `4 ${AWAY}/32 us 46`,
          '5 2a00:1450:1:2::/64 us 46',
        ]);
        await store.removeRegistration({ accountId: 'a', id: six.id });
        expect(heard.take()).toEqual(['6 2a00:1450:1:2::/64 gone', `7 ${HOME}/32 us 4`, `8 ${AWAY}/32 us 4`]);
      });

      it('logs nothing for a family that is lost and regained in one step', async () => {
        await store.updateAccount({ id: 'a', perAccount: 2 });
        await store.register(registration('a', HOME6));
        await store.register(registration('a', HOME));
        heard.take();
        await store.register(registration('a', '2a00:1450:1:3::9', { replaceOldest: true }));
        expect(heard.take()).toEqual(['4 2a00:1450:1:2::/64 gone', '5 2a00:1450:1:3::/64 us 46']);
      });

      it('gives an address the families of the account that was seen there last', async () => {
        await store.register(registration('a', HOME));
        await store.register(registration('b', HOME6));
        await store.register(registration('b', HOME));
        await store.register(registration('a', HOME));
        expect(await entries()).toEqual([
          [`${HOME}/32`, 'us 4'],
          ['2a00:1450:1:2::/64', 'gb 46 hulu=off'],
        ]);
      });

      it('follows an account that changes region or services', async () => {
        await store.register(registration('a', HOME));
        await store.register(registration('b', HOME));
        heard.take();
        await store.updateAccount({ id: 'a', region: 'gb' });
        await store.updateAccount({ id: 'b', perAccount: 9 });
        expect(heard.take(), 'not the latest renewal, or nothing that shows').toEqual([]);
        await store.updateAccount({ id: 'b', region: 'us', services: { b: 'us', a: 'gb' } });
        await store.updateAccount({ id: 'b', services: { a: 'gb', b: 'us' } });
        expect(heard.take()).toEqual([`3 ${HOME}/32 us 4 a=gb b=us`]);
      });

      it('excludes a suspended account until it is resumed', async () => {
        await store.register(registration('a', HOME));
        await store.register(registration('b', HOME));
        await store.register(registration('b', HOME6));
        await store.updateAccount({ id: 'b', suspended: true });
        expect(await entries()).toEqual([[`${HOME}/32`, 'us 4']]);
        await store.register(registration('b', AWAY));
        expect(await entries(), 'registered while suspended').toEqual([[`${HOME}/32`, 'us 4']]);
        await store.updateAccount({ id: 'b', suspended: false });
        expect(await entries()).toEqual([
          [`${HOME}/32`, 'gb 46 hulu=off'],
          [`${AWAY}/32`, 'gb 46 hulu=off'],
          ['2a00:1450:1:2::/64', 'gb 46 hulu=off'],
        ]);
      });

      it('keeps prefixes of other lengths apart', async () => {
        const wide = { family: 6 as const, length: 48, bytes: new Uint8Array(16).fill(0x20, 0, 6) };
        const narrow = { family: 6 as const, length: 128, bytes: new Uint8Array(16).fill(0x20) };
        for (const prefix of [wide, narrow]) await store.register(registration('a', HOME6, { prefix }));
        expect(await entries()).toEqual([
          ['2020:2020:2020:2020:2020:2020:2020:2020/128', 'us 6'],
          ['2020:2020:2020::/48', 'us 6'],
        ]);
      });

      it('packs more entries than one page of the snapshot', async () => {
        await store.createAccount(newAccount('many', { perAccount: 10_000 }));
        const steps = Array.from({ length: 4_500 }, (_, index) =>
          registration('many', `23.0.${index >> 8}.${index & 255}`),
        );
        await Promise.all(steps.map((step) => store.register(step)));
        const snapshot = await store.snapshot();
        expect(snapshot.groups.map((group) => group.count)).toEqual([4_500]);
        expect(new Set(entriesOf(snapshot).keys()).size).toBe(4_500);
        expect(snapshot.seq).toBe(4_500);
      });
    });

    describe('the log', () => {
      beforeEach(async () => {
        await store.createAccount(newAccount('a', { perAccount: 100 }));
        for (const address of [HOME, AWAY, HOME6]) await store.register(registration('a', address));
      });

      it('starts at change 0 of its own epoch', async () => {
        expect(store.epoch).toMatch(/./);
        expect(await store.state()).toEqual({ epoch: store.epoch, seq: 5 });
        expect((await store.snapshot()).epoch).toBe(store.epoch);
      });

      it('returns the changes after a number', async () => {
        const all = await store.changesSince({ seq: 0, limit: 99 });
        expect(all === 'gap' ? all : all.map(changeWords)).toEqual(heard.take());
        const some = await store.changesSince({ seq: 2, limit: 2 });
        expect(some === 'gap' ? some : some.map((change) => change.seq)).toEqual([3, 4]);
        expect(await store.changesSince({ seq: 5, limit: 99 })).toEqual([]);
      });

      it('reports a gap after trimming, and for a number that was never reached', async () => {
        await store.trimLog(3);
        expect(await store.changesSince({ seq: 2, limit: 99 })).toBe('gap');
        expect(await store.changesSince({ seq: 3, limit: 99 })).toHaveLength(2);
        await store.trimLog(99);
        expect(await store.changesSince({ seq: 4, limit: 99 })).toBe('gap');
        expect(await store.changesSince({ seq: 5, limit: 99 })).toEqual([]);
        expect(await store.changesSince({ seq: 6, limit: 99 })).toBe('gap');
        await store.register(registration('a', '198.51.99.9'));
        expect(await store.changesSince({ seq: 5, limit: 99 })).toHaveLength(1);
      });

      it('numbers the changes of concurrent calls without a gap, and emits them before the answers', async () => {
        const start = heard.take().length;
        const told: boolean[] = [];
        await Promise.all(
          Array.from({ length: 50 }, async (_, index) => {
            const step = registration('a', `23.0.1.${index}`);
            await store.register(step);
            told.push(heard.changes.some((change) => change.prefix.bytes[3] === index));
          }),
        );
        expect(told).toEqual(told.map(() => true));
        expect(heard.changes.map((change) => change.seq)).toEqual(told.map((_, index) => start + index + 1));
      });

      it('takes a snapshot with everything that was answered before', async () => {
        const [, snapshot] = await Promise.all([
          store.register(registration('a', '23.0.1.1')),
          store.register(registration('a', '23.0.1.2')).then(() => store.snapshot()),
        ]);
        expect(snapshot.seq).toBe(7);
        expect(entriesOf(snapshot).has('23.0.1.2/32')).toBe(true);
      });

      it('stops emitting to ended subscriptions', async () => {
        heard.take();
        heard.stop();
        await store.register(registration('a', '23.0.1.1'));
        expect(heard.take()).toEqual([]);
      });
    });

    describe('credentials and host names:', () => accessContract(() => store));
    describe('days of services:', () => serviceDaysContract(() => store));
    describe('private names:', () => privateNamesContract(() => store));

    daysContract(() => store);
    describe('lack of use', () => lapsesContract(() => store));
    describe('evidence:', () => evidenceContract(() => store));

    describe('as a whole', () => {
      storeModel(() => store);
    });
  });
}
