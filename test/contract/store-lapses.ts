import { beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../src/registry/store/store.ts';
import { DAY_MS, hash, newAccount, registration, START_MS } from './store-support.ts';

const LAPSED_DAYS = 400;

/** Promises of every store about accounts that nobody uses. */
export function lapsesContract(get: () => Store): void {
  let store: Store;
  const at = (days: number, lapsedDays: number | null = LAPSED_DAYS) => ({
    nowMs: START_MS + days * DAY_MS + 7,
    lapsedDays,
    limit: 50,
  });
  const lapsing = async () =>
    (await store.lapsingAccounts({ limit: 9 })).map(({ account, erasesAtMs }) => [
      account.id,
      (erasesAtMs - START_MS) / DAY_MS,
    ]);
  beforeEach(async () => {
    store = get();
    for (const id of ['a', 'b']) await store.createAccount(newAccount(id));
  });

  it('lists an account for 30 days before it erases it', async () => {
    await store.register(registration('b', '198.51.99.1', { nowMs: START_MS + 5 * DAY_MS }));
    expect(await store.noticeLapses(at(369))).toBe(0);
    expect(await store.noticeLapses(at(370))).toBe(1);
    expect(await lapsing()).toEqual([['a', 400]]);
    expect(await store.noticeLapses(at(375))).toBe(1);
    expect(await lapsing()).toEqual([
      ['a', 400],
      ['b', 405],
    ]);
    expect(await store.eraseLapsed(at(399))).toEqual([]);
    expect(await store.eraseLapsed(at(400))).toEqual(['a']);
    expect(await store.getAccount('a')).toBeNull();
    expect(await store.findAccountBySecret(hash('secret of a'))).toBeNull();
    expect(await lapsing()).toEqual([['b', 405]]);
    expect(await store.eraseLapsed(at(405))).toEqual(['b']);
    expect((await store.snapshot()).groups).toEqual([]);
    expect(await store.noticeLapses(at(900))).toBe(0);
  });

  it('lists accounts that have lapsed long before for 30 days too', async () => {
    expect(await store.noticeLapses({ ...at(900), limit: 1 })).toBe(1);
    expect(await store.noticeLapses(at(900))).toBe(1);
    expect(await store.eraseLapsed(at(929))).toEqual([]);
    expect((await store.eraseLapsed(at(930))).sort()).toEqual(['a', 'b']);
  });

  it('counts anew from a registration, a renewal included', async () => {
    const home = registration('a', '198.51.99.1');
    await store.register(home);
    await store.noticeLapses(at(380));
    await store.register({ ...home, nowMs: at(390).nowMs, expiresAtMs: at(480).nowMs });
    expect(await lapsing()).toEqual([['b', 410]]);
    expect((await store.getAccount('a'))?.activeAtMs).toBe(START_MS + 390 * DAY_MS);
    expect(await store.eraseLapsed(at(410))).toEqual(['b']);
    await store.noticeLapses(at(760));
    expect(await lapsing()).toEqual([['a', 790]]);
  });

  it('never erases an account that is kept', async () => {
    await store.noticeLapses(at(380));
    expect(await store.updateAccount({ id: 'a', keep: true })).toMatchObject({ keep: true });
    expect(await lapsing()).toEqual([['b', 410]]);
    expect(await store.eraseLapsed(at(410))).toEqual(['b']);
    await store.noticeLapses(at(900));
    expect(await store.eraseLapsed(at(2000))).toEqual([]);
    await store.updateAccount({ id: 'a', keep: false, region: 'gb' });
    await store.noticeLapses(at(2000));
    expect(await lapsing()).toEqual([['a', 2030]]);
  });

  it('spares accounts where the time was raised since, and all where it was turned off', async () => {
    await store.noticeLapses(at(380));
    expect(await store.eraseLapsed(at(410, 500))).toEqual([]);
    expect(await lapsing()).toEqual([]);
    await store.noticeLapses(at(480, 500));
    expect(await lapsing()).toHaveLength(2);
    await store.noticeLapses(at(480, null));
    expect(await lapsing()).toEqual([]);
  });

  describe('a label', () => {
    it('is corrected, and removed, for its own account only', async () => {
      const { id } = registration('a', '198.51.99.1');
      await store.register({ ...registration('a', '198.51.99.1', { label: 'Jane' }), id });
      const label = async (accountId: string, text: string | null) => {
        const changed = await store.relabelRegistration({ accountId, id, label: text });
        return changed !== null && typeof changed === 'object' ? changed.label : changed;
      };
      expect(await label('a', 'Den')).toBe('Den');
      expect((await store.readAccount('a'))?.registrations[0].label).toBe('Den');
      expect(await store.relabelRegistration({ accountId: 'b', id, label: 'x' })).toBeNull();
      expect(await label('a', null)).toBeNull();
      expect((await store.readAccount('a'))?.registrations[0].label).toBeNull();
    });

    it('of a followed host name stays: it is the name', async () => {
      const step = registration('a', '198.51.99.1', { source: 'hostname', label: 'h.example' });
      await store.register(step);
      const change = { accountId: 'a', id: step.id, label: 'x' };
      expect(await store.relabelRegistration(change)).toBe('hostname');
    });
  });

  it('reads everything that expires by itself', async () => {
    const pass = { accountId: 'a', nowMs: START_MS, expiresAtMs: START_MS + 5, limit: 9 };
    for (const kind of ['session', 'link', 'ticket'] as const) {
      await store.addCredential({ ...pass, kind, hash: hash(kind) });
    }
    const key = { key: hash('k'), fingerprint: hash('f'), expiresAtMs: START_MS + DAY_MS };
    await store.register(registration('a', '198.51.99.1', { idempotency: key }));
    const times = [{ createdAtMs: START_MS, expiresAtMs: START_MS + 5 }];
    expect(await store.readAccount('a')).toMatchObject({
      sessions: times,
      links: times,
      tickets: times,
      marks: [START_MS + DAY_MS],
    });
  });
}
