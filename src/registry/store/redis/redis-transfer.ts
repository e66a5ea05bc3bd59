import { setTimeout } from 'node:timers/promises';
import { formatPrefix } from '../../../net/index.ts';
import { StoreNotEmptyError, StoreUnavailableError } from '../../errors.ts';
import {
  type AccountTransfer,
  evidenceOf,
  hexOf,
  prefixOfText,
  type StoreTransfer,
} from '../../transfer/account-transfer.ts';
import { evidenceRank } from '../evidence.ts';
import { prefixKey } from '../prefix-key.ts';
import { waitForBulk } from './bulk-replication.ts';
import type { RedisStore } from './redis-store.ts';
import { list, ReplyRecord, text } from './reply.ts';
import type { Reply } from './script.ts';
import {
  accountOf,
  hostnameOf,
  privateNameOf,
  registrationOf,
  servicesText,
  sessionOf,
  updateTokenOf,
} from './steps.ts';

/** Accounts per step: some milliseconds, during which other clients wait. */
const PAGE = 100;
/** Registrations in flight: they share a sync of the file and take some tens of milliseconds. */
const AT_ONCE = 500;
/** A long import survives some seconds without Redis. */
const ATTEMPTS = 20;
const AGAIN_MS = 500;

/**
 * Export and import of a store on Redis. Reading goes account by account while controls work: stop them for a copy of
 * one moment. During an import the store answers no other call; the next import starts an unfinished one again.
 */
export function redisTransfer(store: RedisStore, waitReplicas = 0): StoreTransfer {
  return {
    read: () => readAll(store),
    write: (accounts) => writeAll(store, accounts, waitReplicas),
    close: () => store.close(),
  };
}

async function* readAll({ link }: RedisStore): AsyncGenerator<AccountTransfer> {
  let after = '';
  for (;;) {
    const [, found] = await link.run('exportAccounts', { after: after || undefined, limit: PAGE });
    const accounts = list(found).map(transferOf);
    yield* accounts;
    if (accounts.length < PAGE) return;
    after = accounts[accounts.length - 1].id;
  }
}

async function writeAll(
  store: RedisStore,
  accounts: AsyncIterable<AccountTransfer>,
  waitReplicas: number,
): Promise<number> {
  const { connections } = store.link;
  const [, outcome] = await store.link.run('beginImport', {});
  if (text(outcome) === 'not-empty') throw new StoreNotEmptyError('Redis: the store has accounts');
  if (text(outcome) === 'again') await deleteAll(store);
  let count = 0;
  try {
    let batch: Promise<void>[] = [];
    let weight = 0;
    for await (const account of accounts) {
      batch.push(importOne(store, account));
      count++;
      weight += 1 + account.registrations.length;
      if (weight < AT_ONCE) continue;
      await Promise.all(batch);
      batch = [];
      weight = 0;
    }
    await Promise.all(batch);
    // Another connection may lead to a promoted replica, which may lack what was imported before.
    if (waitReplicas > 0 && store.link.connections !== connections)
      throw new StoreUnavailableError('the connection to Redis was lost during the import: import again');
  } catch (error) {
    // If this fails too, the store stays closed until the next import, which does it first.
    await undo(store).catch(() => {});
    throw error;
  }
  await store.snapshots.refresh();
  await store.link.run('endImport', {});
  await waitForBulk(store.link.redis, waitReplicas, 'the import');
  return count;
}

async function importOne(store: RedisStore, account: AccountTransfer): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await store.link.run('importAccount', { account: argumentOf(account) });
      return;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      // An unanswered call may have been done; importing an account twice has no further effect.
      if (attempt === ATTEMPTS) throw error;
      await setTimeout(AGAIN_MS);
    }
  }
}

async function undo(store: RedisStore): Promise<void> {
  await deleteAll(store);
  await store.link.run('endImport', {});
}

async function deleteAll(store: RedisStore): Promise<void> {
  for (;;) {
    const [, found] = await store.link.run('listAccounts', { limit: PAGE });
    const ids = list(found).map((account) => accountOf(account).id);
    if (ids.length === 0) return;
    for (const id of ids) await store.link.run('deleteAccount', { id });
  }
}

function argumentOf(account: AccountTransfer): string {
  const hex = (prefix: string): string => hexOf(prefixKey(prefixOfText(prefix)));
  return JSON.stringify({
    ...account,
    region: JSON.stringify(account.region),
    services: servicesText(account.services),
    registrations: account.registrations.map((one) => ({
      ...one,
      prefix: hex(one.prefix),
      evidence: evidenceRank(evidenceOf(one)),
    })),
  });
}

function transferOf(reply: Reply): AccountTransfer {
  const exported = new ReplyRecord(reply);
  return {
    ...accountOf(exported.get('account')),
    secretHash: exported.text('secretHash'),
    registrations: exported.list('registrations').map((one) => {
      const { id, prefix, ...rest } = registrationOf(one);
      return { id, prefix: formatPrefix(prefix), renewal: new ReplyRecord(one).number('renewal'), ...rest };
    }),
    updateTokens: exported.list('updateTokens').map((one) => {
      const { id, ...rest } = updateTokenOf(one);
      return { id, hash: new ReplyRecord(one).text('hash'), ...rest };
    }),
    hostnames: exported.list('hostnames').map((one) => {
      const name = new ReplyRecord(one);
      return { ...hostnameOf(one), nextAtMs: name.number('nextAtMs'), barred: name.list('barred').map(text) };
    }),
    privateNames: exported.list('privateNames').map((one) => {
      const name = new ReplyRecord(one);
      const { id, held: _, ...rest } = privateNameOf(one);
      return {
        id,
        hash: name.text('hash'),
        ...rest,
        ipv4: name.textOrNull('ipv4'),
        ipv6: name.textOrNull('ipv6'),
      };
    }),
    passes: exported.list('credentials').map((one) => {
      const credential = new ReplyRecord(one);
      const kind = credential.text('kind') as AccountTransfer['passes'][number]['kind'];
      return { kind, hash: credential.text('hash'), ...sessionOf(one) };
    }),
    marks: exported.list('marks').map(markOf),
  };
}

function markOf(reply: Reply): AccountTransfer['marks'][number] {
  const mark = new ReplyRecord(reply);
  return {
    key: mark.text('key'),
    fingerprint: mark.text('fingerprint'),
    expiresAtMs: mark.number('expiresAtMs'),
    outcome: mark.text('outcome'),
    madeId: mark.textOrNull('madeId'),
    createdAtMs: mark.numberOrNull('createdAtMs'),
    leaseExpiresAtMs: mark.numberOrNull('leaseExpiresAtMs'),
  };
}
