import { RegistryError } from '../errors.ts';
import { PositionFile } from '../position-file.ts';
import { judge } from '../store/redis/judge.ts';
import { epochTime, Key, type Meta, makeEpoch, parseMeta } from '../store/redis/keys.ts';
import { type Reply, runScript } from '../store/redis/script.ts';
import { list } from '../store/redis/steps.ts';
import { withRedis } from './session.ts';

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
export class NothingLost extends RegistryError {
  readonly code = 'nothing_lost';
  constructor() {
    super(
      'Redis has what this control knows, and no other control found anything lost; name the epoch that edges hold (their /readyz tells it) by --replaces, if they hold another one',
    );
  }
}

/** More than anyone needs: an edge may have been away through so many losses. */
const MOST_PREDECESSORS = 32;

/**
 * The operator's word: what Redis has now is the truth, with all that it may lack. A new epoch begins, and names
 * those that end; controls and edges that knew one of them go over to it.
 *
 * @throws NothingLost, StoreUnavailable, StoreCorrupt
 */
export function adoptRedis({ url, dataDir, replaces, makeId }: AdoptOptions): Promise<Adoption> {
  const file = new PositionFile(dataDir);
  const { known } = file;
  return withRedis(url, async (redis) => {
    const [, values, timeMs] = await runScript(redis, ['inspect', '', 0]);
    const meta = parseMeta(list(values!) as (Buffer | null)[]);
    if (!isLost(meta, known, replaces)) throw new NothingLost();
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

function isLost(
  meta: Meta | null,
  known: { epoch: string; seq: number } | null,
  replaces: readonly string[],
): boolean {
  return replaces.some((epoch) => epoch !== meta?.epoch) || judge(meta, known).state === 'lost-data';
}
