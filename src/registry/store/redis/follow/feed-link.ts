import type { Redis } from 'ioredis';
import { type Change, type Profile, profileOfText } from '../../../../feed/index.ts';
import { connectRedis } from '../connect.ts';
import {
  decodeLogEntry,
  Key,
  LogField,
  logId,
  META_FIELDS,
  type Meta,
  parseMeta,
  seqOfLogId,
} from '../keys.ts';
import { refusalOf } from '../redis-error.ts';
import { FeedClosedError, FeedDisconnectedError, FeedTimeoutError } from './feed-errors.ts';

/** Longest wait for changes; also the interval of metadata when nothing happens. */
const BLOCK_MS = 500;
/** A healthy store answers within milliseconds, a distant one within a few hundred. */
const ANSWER_MS = 1_500;
/** A chunk of a snapshot, whose least size passes even 35 kbit/s in this time. */
const CHUNK_MS = 15_000;
/** An edge reconnects within a second of its store's return. */
const RETRY_MS = 400;
/** Changes that one read takes at most. */
export const BATCH = 4_000;
const PAGE = 10_000;
/** Parsed profiles that are cached: about 100 bytes each. */
const MAX_PROFILES = 2_000;

/** One read: the log first, then the metadata, which is at least as late. */
export interface LogRead {
  readonly changes: readonly Change[];
  /** Identifies the last change; null without changes. */
  readonly mark: string | null;
  readonly meta: Meta | null;
}

type StreamEntry = [Buffer, Buffer[]];

/** An edge's connection to Redis, and the commands that it uses: HMGET, XREAD, XRANGE, STRLEN, GETRANGE. */
export class FeedLink {
  private readonly redis: Redis;
  /** Rejects pending answers. A shared promise would keep a reference to each of them for ever. */
  private readonly waiting = new Set<(error: Error) => void>();
  private isClosed = false;
  private connectionCount = 0;
  private lastRefusal: string | null = null;
  private readonly profileOf = profileReader();

  constructor(url: string) {
    this.redis = connectRedis(url, {
      name: 'edge',
      commandTimeoutMs: 0,
      readyCheck: false,
      retryToMs: RETRY_MS,
    });
    this.redis.on('ready', () => {
      this.connectionCount += 1;
      this.lastRefusal = null;
    });
    this.redis.on('error', (error) => {
      this.lastRefusal = refusalOf(error);
    });
  }

  get connections(): number {
    return this.connectionCount;
  }

  /** Why the last attempt to connect was rejected, a constant word; null: it was not, or the server is away. */
  get refusal(): string | null {
    return this.lastRefusal;
  }

  /** Resolves once connected. @throws FeedTimeoutError, FeedDisconnectedError; further attempts follow by themselves */
  async ready(): Promise<void> {
    if (this.redis.status === 'ready') return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const refused = (): void => reject(new FeedDisconnectedError());
    this.redis.once('ready', resolve).once('close', refused);
    try {
      await this.within(promise, ANSWER_MS);
    } finally {
      this.redis.off('ready', resolve).off('close', refused);
    }
  }

  async meta(): Promise<Meta | null> {
    return parseMeta(await this.within(this.redis.hmgetBuffer(Key.META, ...META_FIELDS), ANSWER_MS));
  }

  /**
   * Reads a batch of changes after `seq`; waits for one, half a second at most. Both commands are sent at once: the
   * second waits in the server while the first one blocks.
   */
  async follow(seq: number): Promise<LogRead> {
    const [streams, meta] = await this.both(
      ['XREAD', 'COUNT', BATCH, 'BLOCK', BLOCK_MS, 'STREAMS', Key.LOG, logId(seq)],
      BLOCK_MS + ANSWER_MS,
    );
    const read = streams as [Buffer, StreamEntry[]][] | null;
    return this.logRead(read?.[0]?.[1] ?? [], meta);
  }

  /** Reads a page of changes from `seq` on. */
  async range(seq: number): Promise<LogRead> {
    const [entries, meta] = await this.both(
      ['XRANGE', Key.LOG, logId(seq), '+', 'COUNT', PAGE],
      ANSWER_MS * 4,
    );
    return this.logRead(entries as StreamEntry[], meta);
  }

  /** Identifies the log entry of change `seq`; null if the log does not have it. */
  async mark(seq: number): Promise<string | null> {
    const id = logId(seq);
    const [entries] = await this.both(['XRANGE', Key.LOG, id, id], ANSWER_MS);
    const [entry] = entries as StreamEntry[];
    return entry === undefined ? null : markOf(entry);
  }

  /** Returns a snapshot's size, and metadata read after it. */
  async snapshotBytes(key: string): Promise<{ bytes: number; meta: Meta | null }> {
    const [bytes, meta] = await this.both(['STRLEN', key], ANSWER_MS);
    return { bytes: bytes as number, meta };
  }

  /** Reads a part of a snapshot, and metadata after it. */
  async snapshotChunk(
    key: string,
    offset: number,
    length: number,
  ): Promise<{ bytes: Buffer; meta: Meta | null }> {
    const [bytes, meta] = await this.both(['GETRANGE', key, offset, offset + length - 1], CHUNK_MS);
    return { bytes: bytes as Buffer, meta };
  }

  /** Closes the connection; pending reads fail at once. */
  close(): void {
    this.isClosed = true;
    for (const fail of this.waiting) fail(new FeedClosedError());
    this.redis.disconnect();
  }

  private logRead(entries: readonly StreamEntry[], meta: Meta | null): LogRead {
    const last = entries.at(-1);
    return {
      changes: entries.map((entry) => changeOf(entry, this.profileOf)),
      mark: last === undefined ? null : markOf(last),
      meta,
    };
  }

  private async both(
    command: [string, ...(string | number)[]],
    timeoutMs: number,
  ): Promise<[unknown, Meta | null]> {
    const [name, ...args] = command;
    const pipeline = this.redis.pipeline();
    pipeline.callBuffer(name, ...args);
    pipeline.hmgetBuffer(Key.META, ...META_FIELDS);
    const replies = await this.within(pipeline.exec(), timeoutMs);
    for (const [error] of replies!) if (error) throw error;
    return [replies![0][1], parseMeta(replies![1][1] as (Buffer | null)[])];
  }

  /** Reconnects on a timeout, so that a late answer cannot be taken for another one's. */
  private within<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.isClosed) reject(new FeedClosedError());
    const timer = setTimeout(() => {
      reject(new FeedTimeoutError());
      this.redis.disconnect(true);
    }, timeoutMs);
    const end = (): void => {
      clearTimeout(timer);
      this.waiting.delete(reject);
    };
    this.waiting.add(reject);
    answer.then(resolve, reject);
    promise.then(end, end);
    return promise;
  }
}

function changeOf(entry: StreamEntry, profileOf: (text: string) => Profile): Change {
  const seq = seqOfLogId(entry[0].toString('latin1'));
  const change = fieldOf(entry, LogField.CHANGE);
  if (Number.isNaN(seq) || change === null) throw new RangeError('an entry of the log is not ours');
  return decodeLogEntry(seq, change, profileOf);
}

/** Parses profiles with a cache: most homes choose alike. */
function profileReader(): (text: string) => Profile {
  const known = new Map<string, Profile>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    if (known.size === MAX_PROFILES) known.clear();
    const profile = profileOfText(text);
    known.set(text, profile);
    return profile;
  };
}

/** Identifies a log entry by time and change: diverging histories differ in one of them. */
function markOf(entry: StreamEntry): string {
  const time = fieldOf(entry, LogField.TIME)?.toString('latin1') ?? '';
  return `${time} ${fieldOf(entry, LogField.CHANGE)?.toString('latin1') ?? ''}`;
}

function fieldOf([, fields]: StreamEntry, name: string): Buffer | null {
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index].toString('latin1') === name) return fields[index + 1];
  }
  return null;
}
