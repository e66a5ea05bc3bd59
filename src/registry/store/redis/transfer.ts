import { setTimeout } from 'node:timers/promises';
import { formatPrefix } from '../../../net/index.ts';
import { StoreNotEmptyError, StoreUnavailableError } from '../../errors.ts';
import { type AccountTransfer, hexOf, prefixOfText, type StoreTransfer } from '../../transfer/record.ts';
import { prefixKey, prefixOfKey } from '../prefix-key.ts';
import type { Reply } from './script.ts';
import { accountOf, bytes, list, orNull, servicesText, text } from './steps.ts';
import type { RedisStore } from './store.ts';

/** Accounts that one step reads: some milliseconds, in which others wait. */
const PAGE = 100;
/** Registrations that are on their way at a time: they share the sync of the file, and take some tens of milliseconds. */
const AT_ONCE = 500;
/** A Redis that is away for some seconds does not end a long import. */
const ATTEMPTS = 20;
const AGAIN_MS = 500;

/**
 * The store on Redis, for being moved. Reading takes one account after the other while controls go on: stop them for
 * a copy of one moment. Writing is seen by nobody else before it is whole: till then the store answers no other call,
 * and an import that was not finished is begun again by the next one.
 */
export function redisTransfer(store: RedisStore): StoreTransfer {
  return {
    read: () => readAll(store),
    write: (accounts) => writeAll(store, accounts),
    close: () => store.close(),
  };
}

async function* readAll({ link }: RedisStore): AsyncGenerator<AccountTransfer> {
  let after = '';
  for (;;) {
    const [, found] = await link.run('exportAccounts', [after, PAGE]);
    const accounts = list(found).map(transferOf);
    yield* accounts;
    if (accounts.length < PAGE) return;
    after = accounts[accounts.length - 1].id;
  }
}

async function writeAll(store: RedisStore, accounts: AsyncIterable<AccountTransfer>): Promise<number> {
  const [, outcome] = await store.link.run('beginImport', []);
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
  } catch (error) {
    // If this fails, too, the store stays closed to all but the next import, which begins with it.
    await undo(store).catch(() => {});
    throw error;
  }
  await store.snapshots.refresh();
  await store.link.run('endImport', []);
  return count;
}

async function importOne(store: RedisStore, account: AccountTransfer): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await store.link.run('importAccount', [argumentOf(account)]);
      return;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      // Whether a call that was not answered was done is not known; done twice, it is done once.
      if (attempt === ATTEMPTS) throw error;
      await setTimeout(AGAIN_MS);
    }
  }
}

async function undo(store: RedisStore): Promise<void> {
  await deleteAll(store);
  await store.link.run('endImport', []);
}

async function deleteAll(store: RedisStore): Promise<void> {
  for (;;) {
    const [, found] = await store.link.run('listAccounts', ['', PAGE]);
    const ids = list(found).map((account) => accountOf(account).id);
    if (ids.length === 0) return;
    for (const id of ids) await store.link.run('deleteAccount', [id]);
  }
}

function argumentOf(account: AccountTransfer): string {
  const hex = (prefix: string): string => hexOf(prefixKey(prefixOfText(prefix)));
  return JSON.stringify({
    ...account,
    region: JSON.stringify(account.region),
    services: servicesText(account.services),
    registrations: account.registrations.map((one) => ({ ...one, prefix: hex(one.prefix) })),
  });
}

function transferOf(reply: Reply): AccountTransfer {
  const [account, secret, registrations, tokens, hostnames, passes, marks] = list(reply);
  return {
    ...accountOf(account),
    secretHash: text(secret),
    registrations: list(registrations).map((one) => {
      const [id, prefix, createdAt, expiresAt, source, label, renewal] = list(one);
      return {
        id: text(id),
        prefix: formatPrefix(prefixOfKey(bytes(prefix))),
        renewal: renewal as number,
        label: orNull(label, text),
        source: text(source) as AccountTransfer['registrations'][number]['source'],
        createdAtMs: createdAt as number,
        expiresAtMs: expiresAt as number,
      };
    }),
    updateTokens: list(tokens).map((one) => {
      const [id, hash, label, createdAt] = list(one);
      return { id: text(id), hash: text(hash), label: text(label), createdAtMs: createdAt as number };
    }),
    hostnames: list(hostnames).map((one) => {
      const [id, hostname, state, createdAt, checkedAt, nextAt] = list(one);
      return {
        id: text(id),
        hostname: text(hostname),
        state: text(state) as AccountTransfer['hostnames'][number]['state'],
        createdAtMs: createdAt as number,
        checkedAtMs: checkedAt as number | null,
        nextAtMs: nextAt as number,
      };
    }),
    passes: list(passes).map((one) => {
      const [kind, hash, createdAt, expiresAt] = list(one);
      return {
        kind: text(kind) as AccountTransfer['passes'][number]['kind'],
        hash: text(hash),
        createdAtMs: createdAt as number,
        expiresAtMs: expiresAt as number,
      };
    }),
    marks: list(marks).map(markOf),
  };
}

function markOf(reply: Reply): AccountTransfer['marks'][number] {
  const [key, fingerprint, expiresAt, outcome, madeId, createdAt, leaseExpiresAt] = list(reply);
  return {
    key: text(key),
    fingerprint: text(fingerprint),
    expiresAtMs: expiresAt as number,
    outcome: text(outcome),
    madeId: orNull(madeId, text),
    createdAtMs: createdAt as number | null,
    leaseExpiresAtMs: leaseExpiresAt as number | null,
  };
}
