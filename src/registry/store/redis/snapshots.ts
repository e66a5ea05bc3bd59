import type { Redis } from 'ioredis';
import {
  type Change,
  decodeSnapshot,
  digestSnapshot,
  encodeSnapshot,
  mergeSnapshot,
  type Profile,
  profileOfText,
  type Snapshot,
  type SnapshotGroup,
  snapshotKeyBytes,
} from '../../../feed/index.ts';
import { EntriesDifferError, StoreUnavailableError } from '../../errors.ts';
import { decodeLogEntry, Key } from './keys.ts';
import type { Reply, ScriptArgument } from './script.ts';
import { bytes, list, text } from './steps.ts';

const PAGE = 10_000;
/** Entries that one command reads: a few milliseconds, in which others wait. */
const SCAN_COUNT = 5_000;
/** Family and length, before a prefix's address. */
const HEAD_BYTES = 2;
const ATTEMPTS = 5;

/** Runs a step of the script under the guard of epoch and number; resolves to what follows 'read'. */
export type Ask = (name: string, args: readonly ScriptArgument[]) => Promise<Reply[]>;

/** What the log has after a number: changes up to `seq`, and the digest of the list then if that is the last one. */
interface LogPage {
  changes: Change[];
  headSeq: number;
  digest: string;
}

/** Makes snapshots: from the packed one in Redis and the log after it, or, without a sound one, from the entries. */
export class Snapshots {
  private readonly redis: Redis;
  private readonly ask: Ask;
  private readonly epoch: () => string;

  constructor(redis: Redis, ask: Ask, epoch: () => string) {
    this.redis = redis;
    this.ask = ask;
    this.epoch = epoch;
  }

  /**
   * The list as it is now; its digest was compared.
   *
   * @throws StoreUnavailable if it changes too fast to be read; EntriesDiffer
   */
  async take(): Promise<Snapshot> {
    const packed = await this.packed();
    const fromPacked = packed && (await this.follow(packed));
    if (fromPacked && fromPacked !== 'differs') return fromPacked;
    let differed = 0;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const scanned = await this.follow(await this.scan());
      if (scanned === 'differs') differed += 1;
      else if (scanned !== null) return scanned;
    }
    if (differed === ATTEMPTS) throw new EntriesDifferError();
    throw new StoreUnavailableError('the list in Redis changes too fast to be read');
  }

  /** Puts a snapshot of now in Redis. @returns its seq. */
  async refresh(): Promise<number> {
    const snapshot = await this.take();
    await this.ask('putSnapshot', [snapshot.seq, encodeSnapshot(snapshot)]);
    return snapshot.seq;
  }

  private async packed(): Promise<Snapshot | null> {
    const packed = await this.redis.getBuffer(Key.SNAPSHOT);
    if (packed === null) return null;
    try {
      const snapshot = decodeSnapshot(packed);
      return snapshot.epoch === this.epoch() ? snapshot : null;
    } catch {
      return null;
    }
  }

  /** The snapshot with the changes after it; null if the log does not reach back to it. */
  private async follow(snapshot: Snapshot): Promise<Snapshot | 'differs' | null> {
    const changes: Change[] = [];
    for (;;) {
      const page = await this.page(snapshot.seq + changes.length);
      if (page === null) return null;
      for (const change of page.changes) changes.push(change);
      if (snapshot.seq + changes.length < page.headSeq) continue;
      const merged = mergeSnapshot(snapshot, changes);
      return digestSnapshot(merged) === page.digest ? merged : 'differs';
    }
  }

  private async page(seq: number): Promise<LogPage | null> {
    const [found, headSeq, digest] = await this.ask('changesSince', [seq, PAGE]);
    if (!Array.isArray(found)) return null;
    return {
      changes: found.map((change, index) => decodeLogEntry(seq + index + 1, bytes(change))),
      headSeq: headSeq as number,
      digest: text(digest),
    };
  }

  /**
   * The entries as a scan finds them, with the number as it stood before: an entry that changed meanwhile may be
   * missed, doubled or late, and the log after that number puts it right.
   */
  private async scan(): Promise<Snapshot> {
    const [, seq] = await this.ask('state', []);
    const found = new Map<string, number>();
    let cursor = '0';
    do {
      const [next, fields] = await this.redis.hscanBuffer(Key.ENTRIES, cursor, 'COUNT', SCAN_COUNT);
      for (let index = 0; index < fields.length; index += 2) {
        found.set(fields[index].toString('latin1'), fields[index + 1].readUInt32BE(0));
      }
      cursor = next.toString();
    } while (cursor !== '0');
    const texts = new Map<number, string>();
    const profiles = list((await this.redis.callBuffer('HGETALL', Key.PROFILES)) as Reply);
    for (let index = 0; index < profiles.length; index += 2) {
      texts.set(Number(text(profiles[index])), text(profiles[index + 1]));
    }
    return { version: 1, epoch: this.epoch(), seq: seq as number, ...packEntries(found, texts) };
  }
}

/** @param found prefix (a byte a character) -> profile's number. A page of it costs no object for an entry. */
function packEntries(
  found: ReadonlyMap<string, number>,
  texts: ReadonlyMap<number, string>,
): Pick<Snapshot, 'profiles' | 'groups'> {
  const profiles: Profile[] = [];
  const indexes = new Map<number, number>();
  const heads = new Map<string, string[]>();
  for (const [key, number] of found) {
    // A profile that nobody has any more: its entry changed after it was read, and the log says how.
    const profile = texts.get(number);
    if (profile === undefined) continue;
    if (!indexes.has(number)) indexes.set(number, profiles.push(profileOfText(profile)) - 1);
    const head = key.slice(0, HEAD_BYTES);
    const keys = heads.get(head);
    if (keys === undefined) heads.set(head, [key]);
    else keys.push(key);
  }
  const groups = [...heads].map(([head, keys]): SnapshotGroup => {
    const [family, length] = Buffer.from(head, 'latin1');
    const width = snapshotKeyBytes(family as 4 | 6, length);
    const packed = Buffer.alloc(keys.length * width);
    const numbers = new Uint16Array(keys.length);
    for (const [index, key] of keys.entries()) {
      packed.write(key.slice(HEAD_BYTES), index * width, 'latin1');
      numbers[index] = indexes.get(found.get(key)!)!;
    }
    return { family: family as 4 | 6, length, count: keys.length, keys: packed, profiles: numbers };
  });
  return { profiles, groups };
}
