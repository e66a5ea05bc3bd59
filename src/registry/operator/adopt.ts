import type { Redis } from 'ioredis';
import { RegistryError, StoreUnavailableError, TooManyProfilesError } from '../errors.ts';
import { PositionFile } from '../position-file.ts';
import { judge } from '../store/redis/judge.ts';
import { epochTime, Key, type Meta, makeEpoch, parseMeta } from '../store/redis/keys.ts';
import { type Reply, runScript } from '../store/redis/script.ts';
import { list, text } from '../store/redis/steps.ts';
import { withRedis } from './session.ts';
import { entriesAgree } from './verify.ts';

export interface AdoptOptions {
  readonly url: string;
  /** A control's: what it knows of the store is there. */
  readonly dataDir: string;
  /** Further epochs that edges or other controls hold, and that are to end. */
  readonly replaces: readonly string[];
  readonly makeId: () => string;
}

export interface Adoption {
  readonly epoch: string;
  readonly seq: number;
  /** Entries of the allowlist that Redis has, and that are the list from now on. */
  readonly entries: number;
  readonly replaced: readonly string[];
}

/** As far as is known here, Redis has all that it should have: there is nothing to adopt. */
export class NothingLostError extends RegistryError {
  readonly code = 'nothing_lost';
  constructor() {
    super(
      'Redis has what this control knows, and no other control found anything lost; name the epoch that edges hold (their /readyz tells it) by --replaces, if they hold another one',
    );
  }
}

/** More than anyone needs: an edge may have been away through so many losses. */
const MOST_PREDECESSORS = 32;

/** Accounts whose entries one step makes: some milliseconds, in which others wait. */
const PAGE = 100;

/**
 * The operator's word: what Redis has now is the truth, with all that it may lack. The registrations are: the entries
 * of the allowlist are made anew from them, for half of a change may be among what is there. A new epoch begins, and
 * names those that end; controls and edges that knew one of them go over to it. Broken off, it is to be repeated.
 *
 * @throws NothingLost, StoreUnavailable, StoreCorrupt
 */
export function adoptRedis({ url, dataDir, replaces, makeId }: AdoptOptions): Promise<Adoption> {
  const file = new PositionFile(dataDir);
  const { known } = file;
  return withRedis(url, async (redis) => {
    const [, values, timeMs] = await runScript(redis, ['inspect', '', 0]);
    const meta = parseMeta(list(values!) as (Buffer | null)[]);
    if (!isLost(meta, known, replaces) && (meta === null || (await entriesAgree(redis)))) {
      throw new NothingLostError();
    }
    if (meta !== null) await repair(redis);
    const ending = [meta?.epoch, known?.epoch, ...replaces, ...(meta?.predecessors ?? [])];
    const replaced = [...new Set(ending.filter((epoch) => epoch !== undefined))].slice(0, MOST_PREDECESSORS);
    // Of two adopted epochs the later one holds, whatever the clock of this Redis says.
    const startMs = Math.max(timeMs as number, ...replaced.map((epoch) => epochTime(epoch) + 1));
    const epoch = makeEpoch(startMs, makeId());
    const reply: Reply[] = await runScript(redis, [
      'adopt',
      '',
      0,
      epoch,
      known?.seq ?? 0,
      replaced.join(','),
    ]);
    const seq = Number(reply[1]);
    file.keep({ epoch, seq });
    return { epoch, seq, entries: await redis.hlen(Key.ENTRIES), replaced };
  });
}

async function repair(redis: Redis): Promise<void> {
  await runScript(redis, ['beginRepair', '', 0]);
  for (let after = ''; ; ) {
    const [head, last] = await runScript(redis, ['repairAccounts', '', 0, after, PAGE]);
    if (text(head) === 'profiles') {
      throw new TooManyProfilesError('there are as many different profiles as the feed can number');
    }
    if (text(head) !== 'read')
      throw new StoreUnavailableError('the entries could not be made anew; repeat it');
    after = text(last);
    if (after === '') return;
  }
}

function isLost(
  meta: Meta | null,
  known: { epoch: string; seq: number } | null,
  replaces: readonly string[],
): boolean {
  return replaces.some((epoch) => epoch !== meta?.epoch) || judge(meta, known).state === 'lost-data';
}
