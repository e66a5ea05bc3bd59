import type { Redis } from 'ioredis';
import { type Change, type Profile, profileOfText } from '../../feed/index.ts';
import { connectRedis } from '../store/redis/connect.ts';
import { refusalOf } from '../store/redis/fault.ts';
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
import { FeedClosedError, FeedDisconnectedError, FeedTimeoutError } from './errors.ts';

/** What the store says when nothing happens, and how often it is asked then. */
const BLOCK_MS = 500;
/** A healthy store answers in milliseconds; one that is far away in a few hundred. */
const ANSWER_MS = 1_500;
/** A packed list of ten million addresses over 100 Mbit/s. */
const SNAPSHOT_MS = 20_000;
/** So that an edge is back within a second of its store. */
const RETRY_MS = 400;
const BATCH = 4_000;
const PAGE = 10_000;
/** Profiles of the log that are not read anew each time: about 100 bytes each. */
const MOST_PROFILES = 2_000;

/** What was read in one go: the log first, then the store's word on itself, which so is at least as late. */
export interface LogRead {
  readonly changes: readonly Change[];
  /** By what the last of them is known again; null where there is none. */
  readonly mark: string | null;
  readonly meta: Meta | null;
}

type StreamEntry = [Buffer, Buffer[]];

/** The edge's only connection, and the few commands that it uses: HMGET, XREAD, XRANGE, STRLEN, GET. */
export class Link {
  private readonly redis: Redis;
  /** What fails those that wait for an answer. A promise for all of them would remember each one for ever. */
  private readonly waiting = new Set<(fault: Error) => void>();
  private isClosed = false;
  private ownConnections = 0;
  private ownRefusal: string | null = null;
  private readonly profileOf = profileReader();

  constructor(url: string) {
    this.redis = connectRedis(url, {
      name: 'edge',
      commandTimeoutMs: 0,
      readyCheck: false,
      retryToMs: RETRY_MS,
    });
    this.redis.on('ready', () => {
      this.ownConnections += 1;
      this.ownRefusal = null;
    });
    this.redis.on('error', (fault) => {
      this.ownRefusal = refusalOf(fault);
    });
  }

  get connections(): number {
    return this.ownConnections;
  }

  /** Why the last attempt to connect was turned down, in a constant word; null: it was not, or nobody is there. */
  get refusal(): string | null {
    return this.ownRefusal;
  }

  /** Resolves once there is a connection. @throws FeedTimeout, FeedDisconnected: the next attempt follows by itself. */
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
   * The changes after `seq`, a batch at a time; waits for one, half a second at most. Both commands are sent at once:
   * while the first one blocks, the second waits in the server, and its answer comes with the first one's.
   */
  async follow(seq: number): Promise<LogRead> {
    const [streams, meta] = await this.both(
      ['XREAD', 'COUNT', BATCH, 'BLOCK', BLOCK_MS, 'STREAMS', Key.LOG, logId(seq)],
      BLOCK_MS + ANSWER_MS,
    );
    const read = streams as [Buffer, StreamEntry[]][] | null;
    return this.logRead(read?.[0]?.[1] ?? [], meta);
  }

  /** The changes from `seq` on that the log has, a page at a time. */
  async range(seq: number): Promise<LogRead> {
    const [entries, meta] = await this.both(
      ['XRANGE', Key.LOG, logId(seq), '+', 'COUNT', PAGE],
      ANSWER_MS * 4,
    );
    return this.logRead(entries as StreamEntry[], meta);
  }

  /** By what the entry of change `seq` is known again; null where the log has it not. */
  async mark(seq: number): Promise<string | null> {
    const id = logId(seq);
    const [entries] = await this.both(['XRANGE', Key.LOG, id, id], ANSWER_MS);
    const [entry] = entries as StreamEntry[];
    return entry === undefined ? null : markOf(entry);
  }

  snapshotBytes(): Promise<number> {
    return this.within(this.redis.strlen(Key.SNAPSHOT), ANSWER_MS);
  }

  snapshot(): Promise<Buffer | null> {
    return this.within(this.redis.getBuffer(Key.SNAPSHOT), SNAPSHOT_MS);
  }

  /** What is waited for fails at once. */
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

  /** What comes too late is not waited for: the connection is made anew, so that it cannot answer another question. */
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
  if (Number.isNaN(seq) || change === null) throw new RangeError('an entry of the log is none of ours');
  return decodeLogEntry(seq, change, profileOf);
}

/** Reads profiles, each text once for as long as few others come: homes choose alike. */
function profileReader(): (text: string) => Profile {
  const known = new Map<string, Profile>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    if (known.size === MOST_PROFILES) known.clear();
    const profile = profileOfText(text);
    known.set(text, profile);
    return profile;
  };
}

/** Two histories that part at a change differ in its time or in what it did. */
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
