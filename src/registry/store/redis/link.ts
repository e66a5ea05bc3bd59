import type { Redis } from 'ioredis';
import {
  StoreLostDataError,
  StoreUnavailableError,
  StoreVersionError,
  TooManyProfilesError,
} from '../../errors.ts';
import { connectRedis } from './connect.ts';
import { redisCode, redisFault, refusalOf } from './fault.ts';
import { judge } from './judge.ts';
import { type Meta, makeEpoch, parseMeta } from './keys.ts';
import { type Reply, runScript, type ScriptArgument } from './script.ts';
import { checkSettings } from './settings.ts';
import type { KnownPosition, LostReason, PositionKeeper, StoreNews, StoreState } from './state.ts';
import { list, text } from './steps.ts';

export interface LinkOptions {
  url: string;
  keeper: PositionKeeper;
  news: StoreNews;
  /** A random id for the epoch of a store that begins. */
  makeId: () => string;
  /** The store is in its place, for the first time or in another epoch: changes go on from here. */
  placed: (seq: number) => void;
}

const LOST: Readonly<Record<LostReason, string>> = {
  empty: 'is empty',
  epoch: 'has data of another epoch',
  older: 'lacks changes that were made',
  found: 'was found to lack changes by another control',
};

/** The connection of a control, and its judgement of what is at its other end. */
export class Link {
  readonly redis: Redis;
  private readonly options: LinkOptions;
  private known: KnownPosition | null;
  private ownState: StoreState = 'unreachable';
  private ownReason: string | null = null;
  private isClosed = false;
  private ownConnections = 0;
  private placed: string | null = null;
  private looking: Promise<void> | null = null;
  private ownReady = Promise.withResolvers<void>();

  constructor(options: LinkOptions) {
    this.options = options;
    this.known = options.keeper.known;
    this.redis = connectRedis(options.url, { name: 'control' });
    // A new connection may end at another server: nothing is done before it was looked at.
    this.redis.on('ready', () => {
      this.ownConnections += 1;
      void this.look();
      void checkSettings(this.redis, options.news);
    });
    this.redis.on('close', () => {
      if (this.ownState === 'up') this.enter('unreachable', 'CONNECTION');
    });
    this.redis.on('error', (fault) => {
      const refusal = refusalOf(fault);
      if (refusal !== null && this.ownState === 'unreachable') this.enter('unreachable', refusal);
    });
  }

  get epoch(): string {
    return this.known?.epoch ?? '';
  }

  get seq(): number {
    return this.known?.seq ?? 0;
  }

  /** How many connections there have been. */
  get connections(): number {
    return this.ownConnections;
  }

  get state(): StoreState {
    return this.ownState;
  }

  get reason(): string | null {
    return this.ownReason;
  }

  /** Resolves when the store was first seen in its place. */
  get ready(): Promise<void> {
    return this.ownReady.promise;
  }

  /** The store has reached this number: a Redis that has less has lost data. */
  reached(seq: number): void {
    if (this.known !== null && seq > this.known.seq) this.known = { epoch: this.known.epoch, seq };
  }

  /** For the next start; called now and then. */
  keep(): void {
    if (this.known !== null && this.ownState === 'up') this.options.keeper.keep(this.known);
  }

  /**
   * A step under the guard: nothing is done where data is lost.
   *
   * @returns 'done' or 'read', and what follows.
   * @throws StoreUnavailable, StoreLostData, StoreVersion, StoreCorrupt, TooManyProfiles
   */
  async run(name: string, args: readonly ScriptArgument[], isRepeat = false): Promise<Reply[]> {
    if (this.ownState !== 'up') throw this.fault();
    let reply: Reply[];
    try {
      reply = await runScript(this.redis, [name, this.epoch, this.seq, ...args]);
    } catch (error) {
      throw this.failed(error);
    }
    const head = text(reply[0]);
    if (head === 'done' || head === 'read') return reply;
    if (head === 'profiles') {
      throw new TooManyProfilesError('there are as many different profiles as the feed can number');
    }
    if (head === 'fault') throw new StoreUnavailableError(`the store could not do it (${text(reply[1])})`);
    // Nothing was done. What was adopted meanwhile is gone over to, and then the step is taken there.
    await this.look();
    if (this.ownState === 'up' && !isRepeat) return this.run(name, args, true);
    throw this.fault();
  }

  async inspect(): Promise<{ meta: Meta | null; timeMs: number }> {
    const [, values, timeMs] = await runScript(this.redis, ['inspect', '', 0]);
    return { meta: parseMeta(list(values) as (Buffer | null)[]), timeMs: timeMs as number };
  }

  /** Looks at what is there: after each connection, and again while something is wrong. */
  look(): Promise<void> {
    this.looking ??= this.ownLook().finally(() => {
      this.looking = null;
    });
    return this.looking;
  }

  close(): void {
    this.keep();
    this.isClosed = true;
    this.redis.disconnect();
  }

  private async ownLook(): Promise<void> {
    let meta: Meta | null;
    try {
      meta = await this.readMeta();
    } catch (error) {
      this.enter('unreachable', redisCode(error));
      return;
    }
    this.settle(meta);
  }

  /** Begins the store where this installation has never had one and nothing is there. */
  private async readMeta(): Promise<Meta | null> {
    const found = await this.inspect();
    if (found.meta !== null || this.known !== null) return found.meta;
    const epoch = makeEpoch(found.timeMs, this.options.makeId());
    await runScript(this.redis, ['begin', '', 0, epoch]);
    return (await this.inspect()).meta;
  }

  private settle(meta: Meta | null): void {
    const verdict = judge(meta, this.known);
    if (verdict.state === 'lost-data') this.lose(verdict.reason);
    else if (verdict.state === 'newer-format') this.enter('newer-format', null);
    else this.place(verdict.meta);
  }

  private place({ epoch, seq }: Meta): void {
    if (this.known?.epoch !== epoch) {
      this.known = { epoch, seq };
      this.options.keeper.keep(this.known);
    }
    if (this.placed !== epoch) {
      this.placed = epoch;
      this.options.placed(seq);
    }
    this.enter('up', null);
    this.ownReady.resolve();
  }

  /** Others are told by a mark in the store, so that none makes new changes over the numbers of the lost ones. */
  private lose(reason: LostReason): void {
    this.enter('lost-data', reason);
    if (reason !== 'older') return;
    runScript(this.redis, ['beat', this.epoch, this.seq, '', 0, 1]).catch(() => {});
  }

  private failed(fault: unknown): Error {
    const code = redisCode(fault);
    // What comes after a silence would be answered late as well: the connection is made anew, and until it is there
    // callers are answered at once.
    if (code === 'TIMEOUT') this.redis.disconnect(true);
    if (code === 'TIMEOUT' || code === 'CONNECTION') this.enter('unreachable', code);
    return redisFault(fault);
  }

  private fault(): Error {
    if (this.ownState === 'lost-data') {
      return new StoreLostDataError(
        `Redis ${LOST[this.ownReason as LostReason]}; "registry adopt" makes it the truth`,
      );
    }
    if (this.ownState === 'newer-format') {
      return new StoreVersionError(
        'a newer release wrote what is in Redis, in a format that this one does not read',
      );
    }
    return new StoreUnavailableError('Redis is not connected');
  }

  private enter(state: StoreState, reason: string | null): void {
    if (state === this.ownState && reason === this.ownReason) return;
    this.ownState = state;
    this.ownReason = reason;
    if (!this.isClosed) this.options.news.state(state, reason);
  }
}
