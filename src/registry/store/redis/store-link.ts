import type { Redis } from 'ioredis';
import {
  StoreLostDataError,
  StoreUnavailableError,
  StoreVersionError,
  TooManyProfilesError,
} from '../../errors.ts';
import type { StoreEvents, StoreState } from '../events.ts';
import { checkPosition, type LossReason, makeEpoch, type Position } from '../position.ts';
import type { PositionFile } from '../position-file.ts';
import { connectRedis } from './connect.ts';
import { KEY_SPACE_FORMAT, type Meta, parseMeta } from './keys.ts';
import { redisCode, refusalOf, toStoreError } from './redis-error.ts';
import { list, text } from './reply.ts';
import { type Reply, runScript, type StepArguments } from './script.ts';
import { checkSettings, defaultUserMayLoad } from './settings.ts';

export interface StoreLinkOptions {
  /** redis:// or rediss://, as net/redis-url.ts parses it. */
  url: string;
  /** Keeps the known position for the next start. */
  positionFile: Pick<PositionFile, 'known' | 'keep'>;
  events: StoreEvents;
  /** Makes a random id for the epoch of a new store. */
  makeId: () => string;
  /**
   * Called when the store is first found, again in another epoch, and where a promoted replica lacks changes that were
   * not confirmed: changes continue after `seq`.
   */
  onPlaced: (seq: number) => void;
}

const STRIPPED = 'default-user-stripped';
export const STRIPPED_MESSAGE =
  "the user 'default' of Redis lacks rights, so Redis would drop acknowledged changes when it loads its file; " +
  'write in its ACL: user default reset off ~* &* +@all';

const LOST: Readonly<Record<LossReason, string>> = {
  'store-empty': 'is empty',
  'other-epoch': 'has data of another epoch',
  older: 'lacks changes that were acknowledged',
  'other-history': 'has another history',
  'found-by-control': 'lacks changes that another control has seen',
};

/** A control's connection to Redis. It runs steps only while the store is at or past the known position. */
export class StoreLink {
  readonly redis: Redis;
  private readonly options: StoreLinkOptions;
  private known: Position | null;
  private currentState: StoreState = 'unreachable';
  private currentReason: string | null = null;
  private isClosed = false;
  private connectionCount = 0;
  private placedEpoch: string | null = null;
  /** The highest change that was seen in the store, confirmed or not. */
  private placedSeq = 0;
  private checkedConnection = 0;
  private looking: Promise<void> | null = null;
  private readonly placed = Promise.withResolvers<void>();

  constructor(options: StoreLinkOptions) {
    this.options = options;
    this.known = options.positionFile.known;
    this.redis = connectRedis(options.url, { name: 'control' });
    // A new connection may reach another server, so the store is examined before any step.
    this.redis.on('ready', () => {
      this.connectionCount += 1;
      void this.look();
      void checkSettings(this.redis, options.events);
    });
    this.redis.on('close', () => {
      if (this.currentState === 'up') this.enter('unreachable', 'CONNECTION');
    });
    this.redis.on('error', (error) => {
      const refusal = refusalOf(error);
      if (refusal !== null && this.currentState === 'unreachable') this.enter('unreachable', refusal);
    });
  }

  get epoch(): string {
    return this.known?.epoch ?? '';
  }

  get seq(): number {
    return this.known?.seq ?? 0;
  }

  /** Connections made so far. */
  get connections(): number {
    return this.connectionCount;
  }

  get state(): StoreState {
    return this.currentState;
  }

  get reason(): string | null {
    return this.currentReason;
  }

  /** Resolves when the store is first found in order. */
  get ready(): Promise<void> {
    return this.placed.promise;
  }

  /** Notes a change of the store that replicas may lack. */
  saw(seq: number): void {
    this.placedSeq = Math.max(this.placedSeq, seq);
  }

  /** Notes that the store has reached `seq`: a Redis that has less has lost data. */
  reached(seq: number): void {
    this.saw(seq);
    if (this.known !== null && seq > this.known.seq) this.known = { epoch: this.known.epoch, seq };
  }

  /** Writes the position for the next start. */
  keep(): void {
    if (this.known !== null && this.currentState === 'up') this.options.positionFile.keep(this.known);
  }

  /**
   * Runs a step of the script, which does nothing if the store is not at the known position.
   *
   * @returns 'read' and the step's reply, or 'done', the changes and the reply
   * @throws StoreUnavailableError, StoreLostDataError, StoreVersionError, StoreCorruptError, TooManyProfilesError
   */
  async run(name: string, args: StepArguments, isRepeat = false): Promise<Reply[]> {
    if (this.currentState !== 'up') throw this.stateError();
    let reply: Reply[];
    try {
      reply = await runScript(this.redis, name, { epoch: this.epoch, seq: this.seq }, args);
    } catch (error) {
      throw this.failed(error);
    }
    const head = text(reply[0]);
    if (head === 'done' || head === 'read') return reply;
    if (head === 'profiles') {
      throw new TooManyProfilesError('there are more different profiles than the feed can number');
    }
    if (head === 'fault') throw new StoreUnavailableError(`the store could not do it (${text(reply[1])})`);
    // Nothing was done. If an operator has adopted the store since, go over to its epoch and repeat the step there.
    await this.look();
    if (this.currentState === 'up' && !isRepeat) return this.run(name, args, true);
    throw this.stateError();
  }

  /**
   * Waits until `count` replicas have what this connection wrote; returns how many do, after `timeoutMs` at most.
   *
   * @throws StoreUnavailableError
   */
  async waitForReplicas(count: number, timeoutMs: number): Promise<number> {
    try {
      return await this.redis.wait(count, timeoutMs);
    } catch (error) {
      throw this.failed(error);
    }
  }

  async inspect(): Promise<{ meta: Meta | null; timeMs: number }> {
    const [, values, timeMs] = await runScript(this.redis, 'inspect');
    return { meta: parseMeta(list(values) as (Buffer | null)[]), timeMs: timeMs as number };
  }

  /** Examines the store: after each connection, and every second while something is wrong. */
  look(): Promise<void> {
    this.looking ??= this.examine().finally(() => {
      this.looking = null;
    });
    return this.looking;
  }

  close(): void {
    this.keep();
    this.isClosed = true;
    this.redis.disconnect();
  }

  private async examine(): Promise<void> {
    let meta: Meta | null;
    try {
      if (!(await this.mayLoad())) {
        this.enter('unreachable', STRIPPED);
        return;
      }
      meta = await this.readMeta();
    } catch (error) {
      this.enter('unreachable', redisCode(error));
      return;
    }
    const verdict = checkPosition(meta, this.known, KEY_SPACE_FORMAT);
    if (verdict.state === 'lost-data') this.lose(verdict.reason);
    else if (verdict.state === 'empty') this.lose('store-empty');
    else if (verdict.state === 'newer-format') this.enter('newer-format', null);
    else this.place(meta!);
  }

  /** Checks once a connection that Redis can load what it writes. */
  private async mayLoad(): Promise<boolean> {
    if (this.checkedConnection === this.connectionCount) return true;
    const mayLoad = await defaultUserMayLoad(this.redis);
    if (mayLoad === false) return false;
    this.checkedConnection = this.connectionCount;
    if (mayLoad === null) this.options.events.warning('default_user_not_checked', 'a user with +acl|dryrun');
    return true;
  }

  /** Begins the store if Redis is empty and this installation has never had one. */
  private async readMeta(): Promise<Meta | null> {
    const found = await this.inspect();
    if (found.meta !== null || this.known !== null) return found.meta;
    const epoch = makeEpoch(found.timeMs, this.options.makeId());
    await runScript(this.redis, 'begin', null, { epoch });
    return (await this.inspect()).meta;
  }

  private place({ epoch, seq }: Meta): void {
    if (this.known?.epoch !== epoch) {
      this.known = { epoch, seq };
      this.options.positionFile.keep(this.known);
    }
    if (this.placedEpoch !== epoch || seq < this.placedSeq) this.options.onPlaced(seq);
    this.placedEpoch = epoch;
    this.placedSeq = seq;
    this.enter('up', null);
    this.placed.resolve();
  }

  /** Marks the store, so that no other control makes new changes with the numbers of the lost ones. */
  private lose(reason: LossReason): void {
    this.enter('lost-data', reason);
    if (reason !== 'older') return;
    runScript(this.redis, 'beat', this.known, { token: '', campaigns: 0, leaseMs: 1 }).catch(() => {});
  }

  private failed(error: unknown): Error {
    const code = redisCode(error);
    // Commands behind a silent one would be late too: reconnect, and answer callers at once until then.
    if (code === 'TIMEOUT') this.redis.disconnect(true);
    if (code === 'TIMEOUT' || code === 'CONNECTION') this.enter('unreachable', code);
    return toStoreError(error);
  }

  private stateError(): Error {
    if (this.currentState === 'lost-data') {
      return new StoreLostDataError(
        `Redis ${LOST[this.currentReason as LossReason]}; restore a backup, or accept the loss by "registry adopt"`,
      );
    }
    if (this.currentState === 'newer-format') {
      return new StoreVersionError('a newer release wrote the data in Redis; update this control');
    }
    if (this.currentReason === STRIPPED) return new StoreUnavailableError(STRIPPED_MESSAGE);
    return new StoreUnavailableError('Redis is not connected');
  }

  private enter(state: StoreState, reason: string | null): void {
    if (state === this.currentState && reason === this.currentReason) return;
    this.currentState = state;
    this.currentReason = reason;
    if (!this.isClosed) this.options.events.state(state, reason);
  }
}
