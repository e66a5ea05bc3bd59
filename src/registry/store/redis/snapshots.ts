import type { Redis } from 'ioredis';
import {
  type Change,
  decodeSnapshot,
  digestSnapshot,
  encodeSnapshot,
  mergeSnapshot,
  type Snapshot,
} from '../../../feed/index.ts';
import { EntriesDifferError, StoreUnavailableError } from '../../errors.ts';
import { EntryTable } from './entry-table.ts';
import { decodeLogEntry, Key } from './keys.ts';
import { bytes, list, ReplyRecord, text } from './reply.ts';
import type { Reply, StepArguments } from './script.ts';

const PAGE = 10_000;
/** Entries per command: a few milliseconds, during which other clients wait. */
const SCAN_COUNT = 5_000;
const ATTEMPTS = 5;
const CHUNK_BYTES = 4 * 1024 * 1024;

/** Runs a reading step at the known position and resolves to its reply. */
export type Ask = (name: string, args: StepArguments) => Promise<Reply>;

/** Changes after a position, and the store's last change with the digest at that change. */
interface LogPage {
  changes: Change[];
  headSeq: number;
  digest: string;
}

/** Makes snapshots from the packed one in Redis and the log after it, or, without a sound one, from the entries. */
export class Snapshots {
  private readonly redis: Redis;
  private readonly ask: Ask;
  private readonly epoch: () => string;
  private packedSize = 0;

  constructor(redis: Redis, ask: Ask, epoch: () => string) {
    this.redis = redis;
    this.ask = ask;
    this.epoch = epoch;
  }

  /**
   * Takes a snapshot of the present allowlist, verified by its digest.
   *
   * @throws StoreUnavailableError if the allowlist changes too fast to be read; EntriesDifferError
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
    throw new StoreUnavailableError('the allowlist in Redis changes too fast to be read');
  }

  /** Size of the packed snapshot when it was last read or written. */
  get packedBytes(): number {
    return this.packedSize;
  }

  /** Writes a present snapshot to Redis. Returns its seq. */
  async refresh(): Promise<number> {
    const snapshot = await this.take();
    const packed = encodeSnapshot(snapshot);
    await this.ask('putSnapshot', { seq: snapshot.seq, snapshot: packed });
    this.packedSize = packed.length;
    return snapshot.seq;
  }

  private async packed(): Promise<Snapshot | null> {
    const packed = await readWhole(this.redis, Key.SNAPSHOT);
    if (packed.length === 0) return null;
    this.packedSize = packed.length;
    try {
      const snapshot = decodeSnapshot(packed);
      return snapshot.epoch === this.epoch() ? snapshot : null;
    } catch {
      return null;
    }
  }

  /** Applies the log after the snapshot; null if the log does not reach back to it. */
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
    const found = await this.ask('changesSince', { seq, limit: PAGE });
    if (found === null) return null;
    const reply = new ReplyRecord(found);
    return {
      changes: reply.list('changes').map((change, index) => decodeLogEntry(seq + index + 1, bytes(change))),
      headSeq: reply.number('seq'),
      digest: reply.text('digest'),
    };
  }

  /**
   * Scans the entries, at the seq before the scan. Entries that change meanwhile may be missed, doubled or later; the
   * log after that seq corrects them.
   */
  private async scan(): Promise<Snapshot> {
    const seq = new ReplyRecord(await this.ask('state', {})).number('seq');
    return { version: 1, epoch: this.epoch(), seq, ...(await scanEntries(this.redis)) };
  }
}

/** Reads all entries, each once, and their profiles. */
export async function scanEntries(redis: Redis): Promise<Pick<Snapshot, 'profiles' | 'groups'>> {
  const table = new EntryTable();
  let cursor = '0';
  do {
    const [next, fields] = await redis.hscanBuffer(Key.ENTRIES, cursor, 'COUNT', SCAN_COUNT);
    for (let index = 0; index < fields.length; index += 2) {
      table.set(fields[index], fields[index + 1].readUInt32BE(0));
    }
    cursor = next.toString();
  } while (cursor !== '0');
  const texts = new Map<number, string>();
  const profiles = list((await redis.callBuffer('HGETALL', Key.PROFILES)) as Reply);
  for (let index = 0; index < profiles.length; index += 2) {
    texts.set(Number(text(profiles[index])), text(profiles[index + 1]));
  }
  return table.pack(texts);
}

/**
 * Reads a value in chunks, which no output buffer is too small for. One that is replaced meanwhile comes out damaged.
 *
 * @returns no bytes for a missing key
 */
export async function readWhole(redis: Redis, key: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let at = 0; ; at += CHUNK_BYTES) {
    const range = await redis.callBuffer('GETRANGE', key, at, at + CHUNK_BYTES - 1);
    const chunk = range as Buffer;
    chunks.push(chunk);
    if (chunk.length < CHUNK_BYTES) return Buffer.concat(chunks);
  }
}
