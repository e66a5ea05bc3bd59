import type { Redis } from 'ioredis';
import {
  type Change,
  decodeSnapshot,
  digestSnapshot,
  mergeSnapshot,
  type Snapshot,
} from '../../feed/index.ts';
import {
  decodeLogEntry,
  Key,
  LogField,
  logId,
  META_FIELDS,
  type Meta,
  parseMeta,
  seqOfLogId,
} from '../store/redis/keys.ts';
import { readWhole, scanEntries } from '../store/redis/snapshots.ts';
import { withRedis } from './session.ts';

/** A copy of the allowlist, compared with the store. */
export interface CopyReport {
  readonly epoch: string;
  readonly seq: number;
  readonly entries: number;
  /** True if copy and later log give the store's allowlist; null: the log does not reach back to the copy. */
  readonly agrees: boolean | null;
}

export interface StoreReport {
  readonly epoch: string;
  readonly seq: number;
  /** Addresses in the allowlist at `seq`. */
  readonly size: number;
  readonly entries: CopyReport;
  /** Null: the store has no snapshot. */
  readonly snapshot: CopyReport | null;
  /** True if the log has every change since it was last trimmed. */
  readonly isLogWhole: boolean;
  /** True if a control has seen changes that the store lacks. */
  readonly isLost: boolean;
  /** Compares another copy with the store, such as an edge's file. */
  compare(other: Snapshot): CopyReport;
}

const PAGE = 10_000;

/**
 * Reads entries, snapshot and log of the allowlist in Redis, and compares them by their digests. Controls may keep
 * working.
 *
 * @returns null if Redis has no store
 * @throws StoreUnavailableError, StoreCorruptError
 */
export function verifyRedis(url: string): Promise<StoreReport | null> {
  return withRedis(url, async (redis) => {
    const before = await readMeta(redis);
    if (before === null) return null;
    // Changes during the scan are corrected by the log after this seq.
    const scanned = snapshotOf(before, await scanEntries(redis));
    const packed = await readSnapshot(redis);
    const { meta, changes } = await readLog(redis);
    const compare = (other: Snapshot): CopyReport => compareWith(other, meta, changes);
    return {
      epoch: meta.epoch,
      seq: meta.seq,
      size: sizeOf(
        mergeSnapshot(
          scanned,
          changes.filter(({ seq }) => seq > scanned.seq),
        ),
      ),
      entries: compare(scanned),
      snapshot: packed === null ? null : compare(packed),
      isLogWhole: changes.length === meta.seq - meta.trimmed && isConsecutive(changes, meta.trimmed + 1),
      isLost: meta.lostSeq !== null,
      compare,
    };
  });
}

/** True if the entries match the store's digest. */
export async function entriesAgree(redis: Redis): Promise<boolean> {
  const before = (await readMeta(redis))!;
  const scanned = snapshotOf(before, await scanEntries(redis));
  const { meta, changes } = await readLog(redis);
  return compareWith(scanned, meta, changes).agrees !== false;
}

function snapshotOf({ epoch, seq }: Meta, entries: Pick<Snapshot, 'profiles' | 'groups'>): Snapshot {
  return { version: 1, epoch, seq, ...entries };
}

async function readMeta(redis: Redis): Promise<Meta | null> {
  return parseMeta(await redis.hmgetBuffer(Key.META, ...META_FIELDS));
}

async function readSnapshot(redis: Redis): Promise<Snapshot | null> {
  const packed = await readWhole(redis, Key.SNAPSHOT);
  return packed.length === 0 ? null : decodeSnapshot(packed);
}

/** Reads the whole log, up to the seq that meta has before. */
async function readLog(redis: Redis): Promise<{ meta: Meta; changes: Change[] }> {
  const meta = (await readMeta(redis))!;
  const changes: Change[] = [];
  for (let from = meta.trimmed + 1; from <= meta.seq; ) {
    const page = (await redis.callBuffer('XRANGE', Key.LOG, logId(from), logId(meta.seq), 'COUNT', PAGE)) as [
      Buffer,
      Buffer[],
    ][];
    if (page.length === 0) break;
    for (const [id, fields] of page) {
      const at = fields.findIndex((field) => field.toString('latin1') === LogField.CHANGE);
      changes.push(decodeLogEntry(seqOfLogId(id.toString('latin1')), fields[at + 1]));
    }
    from = changes[changes.length - 1].seq + 1;
  }
  return { meta, changes };
}

function compareWith(other: Snapshot, meta: Meta, changes: readonly Change[]): CopyReport {
  const { epoch, seq } = other;
  const entries = sizeOf(other);
  if (epoch !== meta.epoch || seq > meta.seq) return { epoch, seq, entries, agrees: false };
  const after = changes.filter((change) => change.seq > seq);
  if (seq < meta.seq && !(after.length === meta.seq - seq && isConsecutive(after, seq + 1))) {
    return { epoch, seq, entries, agrees: null };
  }
  return { epoch, seq, entries, agrees: digestSnapshot(mergeSnapshot(other, after)) === meta.digest };
}

function sizeOf({ groups }: Snapshot): number {
  return groups.reduce((sum, { count }) => sum + count, 0);
}

function isConsecutive(changes: readonly Change[], first: number): boolean {
  return changes.every(({ seq }, index) => seq === first + index);
}
