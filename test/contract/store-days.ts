import { beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../src/registry/store/store.ts';
import {
  DAY_MS,
  hash,
  LEASE_OVER_MS,
  mark,
  newAccount,
  prefix,
  registration,
  START_MS,
} from './store-support.ts';

const HOUR_MS = 3_600_000;
/** A moment in the middle of a day. */
const NOON_MS = START_MS + 13 * HOUR_MS + 17 * 60_000 + 123;

/** Promises of every store about times, which are kept to the day. */
export function daysContract(get: () => Store): void {
  let store: Store;
  beforeEach(() => {
    store = get();
  });

  describe('times', () => {
    it('of accounts, registrations, tokens and names are kept as days', async () => {
      const account = newAccount('a', { createdAtMs: NOON_MS });
      expect(await store.createAccount({ ...account, nowMs: NOON_MS })).toMatchObject({
        account: { createdAtMs: START_MS },
      });
      const request = registration('a', '198.51.99.1', { nowMs: NOON_MS });
      const days = { createdAtMs: START_MS, expiresAtMs: START_MS + 90 * DAY_MS };
      expect(await store.register(request)).toMatchObject({ registration: days });
      const later = { ...request, nowMs: NOON_MS + DAY_MS, expiresAtMs: NOON_MS + 91 * DAY_MS };
      expect(await store.register(later)).toMatchObject({
        registration: { createdAtMs: START_MS, expiresAtMs: START_MS + 91 * DAY_MS },
      });
      await store.addUpdateToken({
        accountId: 'a',
        token: { id: 't', label: 'router', createdAtMs: NOON_MS },
        hash: hash('t'),
        limit: 9,
        idempotency: null,
      });
      await store.addPrivateName({
        accountId: 'a',
        name: { id: 'p', label: 'tv', homeOnly: true, createdAtMs: NOON_MS, held: [] },
        hash: hash('p'),
        limit: 9,
        idempotency: null,
      });
      await store.addHostname({ accountId: 'a', id: 'h', hostname: 'h.example', nowMs: NOON_MS, limit: 9 });
      await store.settleHostname({
        accountId: 'a',
        id: 'h',
        prefixes: [prefix('198.51.99.2')],
        families: [4, 6],
        ids: ['followed'],
        seen: null,
        state: 'followed',
        nowMs: NOON_MS + DAY_MS,
        expiresAtMs: NOON_MS + 91 * DAY_MS,
        renewBeforeMs: 0,
        nextAtMs: NOON_MS + 2 * DAY_MS,
      });
      const text = JSON.stringify(await store.readAccount('a'));
      const times = [...text.matchAll(/"(\w+At)Ms":(\d+)/g)].map(([, name, ms]) => [
        name,
        Number(ms) % DAY_MS,
      ]);
      expect(times).toHaveLength(10);
      expect(times.filter(([, rest]) => rest !== 0)).toEqual([]);
    });

    it('do not lengthen the memory of repeated calls', async () => {
      await store.createAccount(newAccount('a'));
      const add = (nowMs: number) =>
        store.addUpdateToken({
          accountId: 'a',
          token: { id: `t${nowMs}`, label: 'router', createdAtMs: nowMs },
          hash: hash(`t${nowMs}`),
          limit: 9,
          idempotency: mark('key', 'body', NOON_MS + HOUR_MS),
        });
      await add(NOON_MS);
      expect(await add(NOON_MS + HOUR_MS - 1)).toMatchObject({ outcome: 'repeated' });
      expect(await add(NOON_MS + HOUR_MS)).toMatchObject({ outcome: 'created' });
    });
  });

  describe('leases', () => {
    it('of one day end one by one in the six hours after it', async () => {
      await store.createAccount(newAccount('a', { perAccount: 60 }));
      for (let index = 0; index < 60; index++) {
        await store.register(registration('a', `198.51.99.${index + 1}`, { expiresAtMs: NOON_MS }));
      }
      const end = (nowMs: number) => store.expireLeases({ nowMs, limit: 100 });
      expect(await end(START_MS + DAY_MS), 'while its day lasts').toBe(0);
      const counts = [];
      for (let hour = 1; hour <= 6; hour++) counts.push(await end(START_MS + DAY_MS + hour * HOUR_MS));
      expect(counts.reduce((sum, count) => sum + count)).toBe(60);
      expect(
        counts.filter((count) => count === 0),
        `${counts}`,
      ).toEqual([]);
      expect(await end(START_MS + LEASE_OVER_MS)).toBe(0);
    });
  });
}
