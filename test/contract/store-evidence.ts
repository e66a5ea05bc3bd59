import { beforeEach, describe, expect, it } from 'vitest';
import { formatPrefix } from '../../src/net/index.ts';
import type { SettleHostnameStep, Store } from '../../src/registry/store/store.ts';
import {
  applyChanges,
  DAY_MS,
  type Entries,
  entriesOf,
  newAccount,
  prefix,
  registration,
  START_MS,
} from './store-support.ts';

const HOME = '198.51.99.1';
const HOME6 = '2a00:0:0:1::9';
const ELSEWHERE = '198.51.99.2';
const ELSEWHERE6 = '2a00:0:0:2::9';

/** Promises of every store about evidence that an address is an account's. `victim` and `thief` are accounts. */
export function evidenceContract(get: () => Store): void {
  let store: Store;
  let followed: Entries;
  let made = 0;

  beforeEach(async () => {
    store = get();
    followed = new Map();
    store.subscribe((changes) => applyChanges(followed, changes));
    await store.createAccount(newAccount('victim'));
    await store.createAccount(newAccount('thief', { region: 'gb', services: { barflix: 'off' } }));
  });

  const see = (account: string, address: string, changes: object = {}) =>
    store.register(registration(account, address, changes));
  const follow = async (account: string, found: string[], changes: Partial<SettleHostnameStep> = {}) => {
    const nowMs = changes.nowMs ?? START_MS;
    await store.addHostname({ accountId: account, id: 'h', hostname: 'h.example', nowMs, limit: 5 });
    await store.settleHostname({
      accountId: account,
      id: 'h',
      prefixes: found.map(prefix),
      families: [4, 6],
      ids: found.map(() => `by-name${++made}`),
      seen: null,
      state: 'followed',
      nowMs,
      expiresAtMs: nowMs + 90 * DAY_MS,
      renewBeforeMs: nowMs + 89 * DAY_MS,
      nextAtMs: nowMs + 60_000,
      ...changes,
    });
  };
  const entry = async (address = HOME) => {
    const key = formatPrefix(prefix(address));
    expect(entriesOf(await store.snapshot()).get(key), 'feed and snapshot agree').toBe(followed.get(key));
    return followed.get(key) ?? 'REFUSED';
  };
  const evidence = async (account: string) =>
    (await store.readAccount(account))!.registrations.map((held) => held.evidence);
  const state = async (account: string) => (await store.readAccount(account))!.hostnames[0].state;
  const idOf = async (account: string, address = HOME) =>
    (await store.readAccount(account))!.registrations.find(
      (held) => formatPrefix(held.prefix) === formatPrefix(prefix(address)),
    )!.id;

  describe('a followed name', () => {
    it('registers the address that the caller was seen at as seen, the others as told', async () => {
      await follow('victim', [HOME, ELSEWHERE, HOME6], { seen: prefix(HOME) });
      expect(await evidence('victim')).toEqual(['seen', 'told', 'told']);
      expect([await entry(HOME), await entry(ELSEWHERE)]).toEqual(['us 46', 'us 46 told']);
    });

    it('that moved is told until a call comes from there', async () => {
      await follow('victim', [HOME], { seen: prefix(HOME) });
      await follow('victim', [ELSEWHERE]);
      expect([await entry(HOME), await entry(ELSEWHERE)]).toEqual(['REFUSED', 'us 4 told']);
      await see('victim', ELSEWHERE);
      expect(await entry(ELSEWHERE)).toBe('us 4');
      expect(await evidence('victim')).toEqual(['seen']);
    });

    it('does not lower the evidence of a registration that it renews', async () => {
      await see('victim', HOME);
      await follow('victim', [HOME], { nowMs: START_MS + 30 * DAY_MS });
      expect(await evidence('victim')).toEqual(['seen']);
      expect((await store.readAccount('victim'))!.registrations[0].expiresAtMs).toBe(START_MS + 120 * DAY_MS);
    });
  });

  describe("another account's seen address", () => {
    it('keeps its region, services and families when a name points at it', async () => {
      await see('victim', HOME);
      await see('thief', ELSEWHERE6);
      await follow('thief', [HOME]);
      expect(await entry()).toBe('us 4');
      await store.updateAccount({ id: 'thief', region: 'gb', services: {} });
      expect(await entry()).toBe('us 4');
      await follow('thief', [HOME], { nowMs: START_MS + 30 * DAY_MS });
      expect(await entry(), 'a renewal by the name').toBe('us 4');
    });

    it('is not overridden by a name although the account was once seen there itself', async () => {
      await see('thief', HOME);
      await see('victim', HOME);
      await follow('thief', [HOME], { nowMs: START_MS + 30 * DAY_MS });
      expect(await entry()).toBe('us 4');
    });

    it('belongs to the account that was seen there last, without a union of families', async () => {
      await see('victim', HOME);
      await see('victim', HOME6);
      await see('thief', HOME);
      expect(await entry()).toBe('gb 4 barflix=off');
      await see('victim', HOME);
      expect(await entry()).toBe('us 46');
    });

    it.each([
      [
        'removes the registration',
        async () => store.removeRegistration({ accountId: 'victim', id: await idOf('victim') }),
      ],
      ['erases its account', () => store.deleteAccount('victim')],
      ['is suspended', () => store.updateAccount({ id: 'victim', suspended: true })],
      ['lets the lease end', () => store.expireLeases({ nowMs: START_MS + 95 * DAY_MS, limit: 9 })],
    ])('is refused once its holder %s, and stays refused while the name points there', async (_, act) => {
      await see('victim', HOME);
      await follow('thief', [HOME], { nowMs: START_MS + 10 * DAY_MS });
      await act();
      expect(await entry()).toBe('REFUSED');
      await follow('thief', [HOME], { nowMs: START_MS + 11 * DAY_MS });
      expect(await entry()).toBe('REFUSED');
      expect(await evidence('thief')).toEqual([]);
      expect(await state('thief')).toBe('not-usable');
    });

    it('stays with other accounts that were seen there', async () => {
      await see('victim', HOME);
      await see('thief', HOME);
      await store.deleteAccount('victim');
      expect(await entry()).toBe('gb 4 barflix=off');
    });

    it('may be followed again once the name has moved, and registered from there at any time', async () => {
      await see('victim', HOME);
      await follow('thief', [HOME]);
      await store.deleteAccount('victim');
      await follow('thief', [ELSEWHERE]);
      expect(await entry(ELSEWHERE)).toBe('gb 4 barflix=off told');
      await follow('thief', [HOME]);
      expect(await entry()).toBe('gb 4 barflix=off told');
      await see('thief', HOME);
      expect(await entry()).toBe('gb 4 barflix=off');
    });

    it('stays refused for each address of a name', async () => {
      await see('victim', HOME);
      await see('victim', HOME6);
      await follow('thief', [HOME, HOME6]);
      await store.deleteAccount('victim');
      await follow('thief', [HOME, HOME6]);
      expect([await entry(HOME), await entry(HOME6)]).toEqual(['REFUSED', 'REFUSED']);
      await follow('thief', [HOME], { families: [4] });
      await follow('thief', [HOME, HOME6]);
      expect([await entry(HOME), await entry(HOME6)]).toEqual(['REFUSED', 'REFUSED']);
    });
  });

  describe('an address that the operator told', () => {
    it('is told, and goes when its last seen holder gives it up', async () => {
      await see('thief', HOME, { source: 'admin', evidence: 'told' });
      expect(await entry()).toBe('gb 4 barflix=off told');
      await see('victim', HOME);
      expect(await entry()).toBe('us 4');
      await store.removeRegistration({ accountId: 'victim', id: await idOf('victim') });
      expect(await entry()).toBe('REFUSED');
    });

    it('does not lower what was seen', async () => {
      await see('victim', HOME);
      await see('victim', HOME, { evidence: 'told' });
      expect(await entry()).toBe('us 4');
    });
  });
}
