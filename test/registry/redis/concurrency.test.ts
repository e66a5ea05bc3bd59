import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { Change } from '../../../src/feed/index.ts';
import { formatPrefix } from '../../../src/net/index.ts';
import { storeFace } from '../../../src/registry/store/redis/redis-store.ts';
import type { AccountHoldings, Store } from '../../../src/registry/store/store.ts';
import {
  applyChanges,
  type Entries,
  entriesOf,
  mark,
  newAccount,
  registration,
  sorted,
} from '../../contract/store-support.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { openTestStore } from './support.ts';

const CLIENTS = 8;
const STEPS = 150;
const ACCOUNTS = ['a', 'b', 'c', 'd'];
const ADDRESSES = ['198.51.99.1', '198.51.99.2', '198.51.99.3', '2a00:0:0:1::9', '2a00:0:0:2::9'];
const REGIONS = ['us', 'gb'];

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

async function openOne(): Promise<Store> {
  const opened = await openTestStore(server.url);
  onTestFinished(() => opened.close());
  return storeFace(opened);
}

function pick<T>(values: readonly T[]): T {
  return values[Math.floor(Math.random() * values.length)];
}

/** Makes one random step of a client. */
async function hammer(store: Store): Promise<void> {
  const accountId = pick(ACCOUNTS);
  const dice = Math.random();
  if (dice < 0.5) {
    await store.register(
      registration(accountId, pick(ADDRESSES), {
        replaceOldest: Math.random() < 0.7,
        idempotency: Math.random() < 0.3 ? mark(`${Math.floor(Math.random() * 50)}`, 'same') : null,
      }),
    );
  } else if (dice < 0.75) {
    const held = (await store.readAccount(accountId))?.registrations ?? [];
    if (held.length > 0) await store.removeRegistration({ accountId, id: pick(held).id });
  } else if (dice < 0.92) {
    await store.updateAccount({
      id: accountId,
      region: pick(REGIONS),
      suspended: Math.random() < 0.2,
      services: Math.random() < 0.3 ? { hulu: pick(['us', 'off']) } : {},
    });
  } else if (dice < 0.96) {
    await store.deleteAccount(accountId);
  } else {
    await store.createAccount(newAccount(accountId, { perAccount: 3 })).catch(() => {});
  }
}

/** Lists the held prefixes with the profiles of their holders, of which one decides. */
function expected(accounts: readonly AccountHoldings[]): Map<string, Set<string>> {
  const entries = new Map<string, Set<string>>();
  for (const { account, registrations } of accounts) {
    if (account.suspended) continue;
    const families = [4, 6].filter((family) => registrations.some(({ prefix }) => prefix.family === family));
    for (const { prefix } of registrations) {
      const key = formatPrefix(prefix);
      entries.set(key, (entries.get(key) ?? new Set()).add(`${account.region} ${families.join('')}`));
    }
  }
  return entries;
}

it('eight clients of two controls change the same accounts and addresses, and everything agrees in the end', async () => {
  const stores = [await openOne(), await openOne()];
  for (const id of ACCOUNTS) await stores[0].createAccount(newAccount(id, { perAccount: 3 }));
  const followed: Entries[] = stores.map((store) => {
    const entries: Entries = new Map();
    let seq = 0;
    store.subscribe((changes: readonly Change[]) => {
      for (const change of changes) expect(change.seq).toBe(++seq);
      applyChanges(entries, changes);
    });
    return entries;
  });
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      for (let step = 0; step < STEPS; step++) await hammer(stores[client % stores.length]);
    }),
  );
  // One more change by each control, so that both have received everything.
  for (const [index, store] of stores.entries()) {
    await store.createAccount(newAccount(`last${index}`));
    await store.register(registration(`last${index}`, `198.51.98.${index}`));
  }
  await stores[0].register(registration('last0', '198.51.98.9'));
  const ids = (await stores[0].listAccounts({ after: null, limit: 99 })).map(({ id }) => id);
  const accounts = await Promise.all(ids.map(async (id) => (await stores[0].readAccount(id))!));
  for (const { account, registrations } of accounts) {
    expect(registrations.length).toBeLessThanOrEqual(account.perAccount);
    expect(new Set(registrations.map(({ prefix }) => formatPrefix(prefix))).size).toBe(registrations.length);
  }
  // Once from the packed snapshot and the log, compared with the store's digest; once by a scan of all entries.
  const snapshot = await stores[0].snapshot();
  const entries = entriesOf(snapshot);
  const rules = expected(accounts);
  expect([...entries.keys()].sort()).toEqual([...rules.keys()].sort());
  for (const [key, words] of entries) {
    expect(rules.get(key)!).toContain(words.split(' ').slice(0, 2).join(' '));
  }
  expect(sorted(followed[0])).toEqual(sorted(entries));
  const client = server.client();
  onTestFinished(() => client.disconnect());
  await client.del('{mediastreamer}:1:snapshot');
  expect(sorted(entriesOf(await stores[1].snapshot())), 'read entry by entry').toEqual(sorted(entries));
  // With all accounts deleted, only counters stay.
  for (const id of ids) await stores[1].deleteAccount(id);
  expect((await stores[1].snapshot()).groups).toEqual([]);
  await stores[1].expireLeases({ nowMs: Number.MAX_SAFE_INTEGER, limit: 9 });
  const keys = (await client.keys('*')).map((key) => key.replace('{mediastreamer}:1:', '')).sort();
  const left = keys.filter((key) => !['meta', 'log', 'snapshot', 'counters', 'chores'].includes(key));
  expect(left).toEqual([]);
});
