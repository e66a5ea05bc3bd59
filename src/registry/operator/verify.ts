import type { Redis } from 'ioredis';
import {
  type Change,
  decodeSnapshot,
  digestSnapshot,
  mergeSnapshot,
  profileOfText,
  type Snapshot,
} from '../../feed/index.ts';
import { prefixOfKey } from '../store/prefix-key.ts';
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
import { readWhole } from '../store/redis/snapshots.ts';
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

const SCAN_COUNT = 1_000;
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
    const scanned = await scanEntries(redis, before);
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
  const scanned = await scanEntries(redis, (await readMeta(redis))!);
  const { meta, changes } = await readLog(redis);
  return compareWith(scanned, meta, changes).agrees !== false;
}

async function readMeta(redis: Redis): Promise<Meta | null> {
  return parseMeta(await redis.hmgetBuffer(Key.META, ...META_FIELDS));
}

async function readSnapshot(redis: Redis): Promise<Snapshot | null> {
  const packed = await readWhole(redis, Key.SNAPSHOT);
  return packed.length === 0 ? null : decodeSnapshot(packed);
}

/** Scans the entries. Changes during the scan are corrected by the log after this seq. */
async function scanEntries(redis: Redis, { epoch, seq }: Meta): Promise<Snapshot> {
  const numbers = new Map<string, number>();
  for (let cursor = '0'; ; ) {
    const [next, fields] = await redis.hscanBuffer(Key.ENTRIES, cursor, 'COUNT', SCAN_COUNT);
    for (let index = 0; index < fields.length; index += 2) {
      numbers.set(fields[index].toString('latin1'), fields[index + 1].readUInt32BE(0));
    }
    cursor = next.toString();
    if (cursor === '0') break;
  }
  const texts = await redis.hgetall(Key.PROFILES);
  const changes: Change[] = [];
  for (const [key, number] of numbers) {
    const text = texts[String(number)];
    if (text === undefined) continue;
    const prefix = prefixOfKey(Buffer.from(key, 'latin1'));
    changes.push({ seq, kind: 'set', prefix, profile: profileOfText(text) });
  }
  return mergeSnapshot({ version: 1, epoch, seq, profiles: [], groups: [] }, changes);
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
