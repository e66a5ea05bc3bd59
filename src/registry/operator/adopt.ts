import type { Redis } from 'ioredis';
import { RegistryError, StoreUnavailableError, TooManyProfilesError } from '../errors.ts';
import { checkPosition, epochTime, makeEpoch, type Position } from '../store/position.ts';
import { PositionFile } from '../store/position-file.ts';
import { waitForBulk } from '../store/redis/bulk-replication.ts';
import { ErasedIds } from '../store/redis/erased-ids.ts';
import { KEY_SPACE_FORMAT, Key, type Meta, parseMeta } from '../store/redis/keys.ts';
import { list, ReplyRecord, text } from '../store/redis/reply.ts';
import { runScript } from '../store/redis/script.ts';
import { defaultUserMayLoad } from '../store/redis/settings.ts';
import { STRIPPED_MESSAGE } from '../store/redis/store-link.ts';
import { withRedis } from './session.ts';
import { entriesAgree } from './verify.ts';

export interface AdoptOptions {
  readonly url: string;
  /** The dataDir of a control, which keeps the position it knows. */
  readonly dataDir: string;
  /** Further epochs that end: those that edges or other controls hold. */
  readonly replaces: readonly string[];
  readonly makeId: () => string;
  /** Replicas of Redis that must have what was adopted. Default 0. */
  readonly waitReplicas?: number;
}

export interface Adoption {
  readonly epoch: string;
  readonly seq: number;
  /** Entries of the allowlist from now on. */
  readonly entries: number;
  /** Accounts, registrations, tokens and host names that this control had erased and that were erased again. */
  readonly erased: number;
  readonly replaced: readonly string[];
}

/** Redis has everything that this control knows: nothing to adopt. */
export class NothingLostError extends RegistryError {
  readonly code = 'nothing_lost';
  constructor() {
    super(
      'Redis has everything that this control knows, and no other control reported a loss; if edges hold another epoch (see their /readyz), name it by --replaces',
    );
  }
}

/** Ended epochs that are kept: an edge may have been away through that many losses. */
const MOST_PREDECESSORS = 32;

/** Accounts per step: some milliseconds, during which other clients wait. */
const PAGE = 100;

/**
 * Declares the present data of Redis to be the truth, whatever it lacks. The entries of the allowlist are rebuilt from
 * the registrations, because half of a change may be among them. A new epoch begins that names the ended ones; controls
 * and edges that hold one of these go over to it. Repeat it if it is interrupted.
 *
 * @throws NothingLostError, StoreUnavailableError, StoreCorruptError
 */
export function adoptRedis({
  url,
  dataDir,
  replaces,
  makeId,
  waitReplicas = 0,
}: AdoptOptions): Promise<Adoption> {
  const file = new PositionFile(dataDir);
  const { known } = file;
  return withRedis(url, async (redis) => {
    if ((await defaultUserMayLoad(redis)) === false) {
      throw new StoreUnavailableError(`${STRIPPED_MESSAGE}; then restart Redis, and do not adopt before`);
    }
    const [, values, timeMs] = await runScript(redis, 'inspect');
    const meta = parseMeta(list(values!) as (Buffer | null)[]);
    if (!isLost(meta, known, replaces) && (meta === null || (await entriesAgree(redis)))) {
      throw new NothingLostError();
    }
    const erased = meta === null ? 0 : await repair(redis, new ErasedIds(dataDir));
    const ending = [meta?.epoch, known?.epoch, ...replaces, ...(meta?.predecessors ?? [])];
    const replaced = [...new Set(ending.filter((epoch) => epoch !== undefined))].slice(0, MOST_PREDECESSORS);
    // Begins after all ended epochs, whatever Redis' clock says.
    const startMs = Math.max(timeMs as number, ...replaced.map((epoch) => epochTime(epoch) + 1));
    const epoch = makeEpoch(startMs, makeId());
    const [, adoptedSeq] = await runScript(redis, 'adopt', null, {
      epoch,
      knownSeq: known?.seq ?? 0,
      predecessors: replaced.join(','),
    });
    const seq = Number(adoptedSeq);
    file.keep({ epoch, seq });
    await waitForBulk(redis, waitReplicas, `the adoption (epoch ${epoch})`);
    return { epoch, seq, entries: await redis.hlen(Key.ENTRIES), erased, replaced };
  });
}

async function repair(redis: Redis, erasedIds: ErasedIds): Promise<number> {
  await runScript(redis, 'beginRepair');
  const erased = await eraseAgain(redis, erasedIds);
  for (let after = ''; ; ) {
    const [head, last] = await runScript(redis, 'repairAccounts', null, {
      after: after || undefined,
      limit: PAGE,
    });
    if (text(head) === 'profiles') {
      throw new TooManyProfilesError('there are more different profiles than the feed can number');
    }
    if (text(head) !== 'read') {
      throw new StoreUnavailableError('the entries could not be rebuilt; repeat the command');
    }
    after = text(last);
    if (after === '') return erased;
  }
}

/** Erases what older data brought back. Returns how much that was. */
async function eraseAgain(redis: Redis, erasedIds: ErasedIds): Promise<number> {
  let erased = 0;
  const erase = async (step: string, args: { id: string; accountId?: string }): Promise<void> => {
    if (!erasedIds.has(args.id)) return;
    await runScript(redis, 'eraseAgain', null, { step, ...args });
    erased++;
  };
  for (let after: string | undefined; ; ) {
    const [, page] = await runScript(redis, 'listIds', null, { after, limit: PAGE });
    const accounts = list(page).map((account) => new ReplyRecord(account));
    for (const account of accounts) {
      const accountId = account.text('id');
      for (const id of account.list('registrations'))
        await erase('removeRegistration', { accountId, id: text(id) });
      for (const id of account.list('updateTokens'))
        await erase('removeUpdateToken', { accountId, id: text(id) });
      for (const id of account.list('hostnames')) await erase('removeHostname', { accountId, id: text(id) });
      for (const id of account.list('privateNames'))
        await erase('removePrivateName', { accountId, id: text(id) });
      await erase('deleteAccount', { id: accountId });
    }
    if (accounts.length < PAGE) return erased;
    after = accounts[PAGE - 1].text('id');
  }
}

function isLost(meta: Meta | null, known: Position | null, replaces: readonly string[]): boolean {
  if (replaces.some((epoch) => epoch !== meta?.epoch)) return true;
  const { state } = checkPosition(meta, known, KEY_SPACE_FORMAT);
  return state === 'lost-data' || state === 'empty';
}
