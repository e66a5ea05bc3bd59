import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import {
  type Profile,
  profileOfText,
  type Snapshot,
  type SnapshotGroup,
  snapshotKeyBytes,
} from '../../../feed/index.ts';
import { connectReader } from './database.ts';

/** Entries per page: about a millisecond, after which other steps get their turn. */
const PAGE_ENTRIES = 4_096;
const HEAD_BYTES = 2;

/**
 * Reads the allowlist through a connection of its own, in one transaction: the snapshot is of one moment while steps go
 * on between pages. SQLite concatenates a page's keys, so no object is made per entry. The arrays may be transferred.
 */
export async function takeSnapshot(path: string): Promise<Snapshot> {
  const database = connectReader(path);
  try {
    database.exec('BEGIN');
    const { epoch, seq } = database.prepare('SELECT epoch, seq FROM state WHERE id = 1').get() as {
      epoch: string;
      seq: number;
    };
    const { profiles, indexes } = readProfiles(database);
    const groups: SnapshotGroup[] = [];
    for (const head of readHeads(database)) groups.push(await readGroup(database, head, indexes));
    return { version: 1, epoch, seq, profiles, groups };
  } finally {
    database.close();
  }
}

/** Reads the profiles, and maps the store's numbers to their indexes. */
function readProfiles(database: DatabaseSync): { profiles: Profile[]; indexes: Map<number, number> } {
  const profiles: Profile[] = [];
  const indexes = new Map<number, number>();
  for (const row of database.prepare('SELECT number, text FROM profile ORDER BY number').iterate()) {
    indexes.set(row['number'] as number, profiles.length);
    profiles.push(profileOfText(row['text'] as string));
  }
  return { profiles, indexes };
}

/** Lists the heads of keys (family, length) in use. */
function readHeads(database: DatabaseSync): Uint8Array[] {
  const next = database.prepare('SELECT prefix FROM entry WHERE prefix >= ? ORDER BY prefix LIMIT 1');
  const heads: Uint8Array[] = [];
  let from = Uint8Array.of(0);
  for (;;) {
    const row = next.get(from);
    if (row === undefined) return heads;
    const head = (row['prefix'] as Uint8Array).slice(0, HEAD_BYTES);
    heads.push(head);
    from = Uint8Array.of(head[0], head[1] + 1);
  }
}

async function readGroup(
  database: DatabaseSync,
  head: Uint8Array,
  indexes: ReadonlyMap<number, number>,
): Promise<SnapshotGroup> {
  const family = head[0] as 4 | 6;
  const width = snapshotKeyBytes(family, head[1]);
  const end = Uint8Array.of(head[0], head[1] + 1);
  const count = database
    .prepare('SELECT count(*) AS count FROM entry WHERE prefix >= ? AND prefix < ?')
    .get(head, end)!['count'] as number;
  const keys = new Uint8Array(count * width);
  const profiles = new Uint16Array(count);
  const page = database.prepare(
    `SELECT CAST(group_concat(substr(prefix, ${HEAD_BYTES + 1}), '') AS BLOB) AS keys, group_concat(profile) AS profiles
     FROM (SELECT prefix, profile FROM entry WHERE prefix > ? AND prefix < ? ORDER BY prefix LIMIT ${PAGE_ENTRIES})`,
  );
  const last = new Uint8Array(HEAD_BYTES + width);
  last.set(head);
  let done = 0;
  while (done < count) {
    done = readPage(page, done === 0 ? head : last, end, { keys, profiles, width, done, indexes });
    last.set(keys.subarray((done - 1) * width, done * width), HEAD_BYTES);
    await setImmediate();
  }
  return { family, length: head[1], count, keys, profiles };
}

/** Reads a page into the group. @returns how many entries of the group are read so far */
function readPage(
  page: StatementSync,
  after: Uint8Array,
  end: Uint8Array,
  group: {
    keys: Uint8Array;
    profiles: Uint16Array;
    width: number;
    done: number;
    indexes: ReadonlyMap<number, number>;
  },
): number {
  const row = page.get(after, end)!;
  group.keys.set(row['keys'] as Uint8Array, group.done * group.width);
  let index = group.done;
  for (const number of (row['profiles'] as string).split(',')) {
    group.profiles[index++] = group.indexes.get(Number(number))!;
  }
  return index;
}
