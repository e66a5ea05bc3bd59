import { mkdirSync } from 'node:fs';
import type { AllowlistFollower, FollowerFallback, LastKnownAllowlist } from '../../../allowlist/index.ts';
import { AllowlistFile, AllowlistKeeper } from '../../../allowlist/index.ts';
import type { FeedPhase, RedisFeed, RedisFeedState } from '../../../registry/store/redis/follow/index.ts';
import { errorCode } from '../../error-code.ts';
import type { Log } from '../log.ts';

/** A reachable store delivers its allowlist within this time; after it, the one on disk is served. */
const WAIT_MS = 1_000;
/** The leader writes a heartbeat every second; a takeover lasts a few seconds. */
const HEARTBEAT_MS = 10_000;
const WATCH_MS = 1_000;

/**
 * State of an allowlist that follows Redis: a phase of the feed that means trouble, or
 * - empty: no allowlist yet, neither from the store nor on disk; every address is refused;
 * - from-disk: serves the last known allowlist until the store delivers one;
 * - no-heartbeat: the store answers, but no control writes to it;
 * - following, reloading.
 */
export type AllowlistState = FeedPhase | 'from-disk' | 'no-heartbeat' | 'reloading';

export const ALLOWLIST_STATES: readonly AllowlistState[] = [
  'following',
  'reloading',
  'from-disk',
  'empty',
  'waiting',
  'loading',
  'disconnected',
  'no-heartbeat',
  'lost-data',
  'newer-format',
  'corrupt',
];

const PHASE_MESSAGES: Readonly<Partial<Record<FeedPhase, string>>> = {
  'lost-data': 'the store lost data: serving the last known allowlist until registry adopt',
  'newer-format':
    'the store is of a newer format: serving the last known allowlist until this edge is updated',
  corrupt: 'the store returned damaged data: serving the last known allowlist',
};

export interface RemoteAllowlistOptions {
  /** Store to follow: a redis:// or rediss:// URL. */
  readonly url: string;
  readonly dataDir: string;
  readonly log: Log;
  /** Milliseconds of a clock that does not jump. */
  readonly now: () => number;
  /** Milliseconds since 1970, for the age of the allowlist on disk. */
  readonly wallClock: () => number;
  /** Allowlist of the process that is replaced, instead of the copy on disk; null: there is none. */
  readonly predecessor?: LastKnownAllowlist | null;
}

/**
 * Allowlist that follows Redis: its feed, the last known copy on disk, and the state of both. Once there is an
 * allowlist, it is served with or without the store.
 */
export class RemoteAllowlist {
  readonly feed: RedisFeed;
  private readonly options: RemoteAllowlistOptions;
  private readonly file: AllowlistFile;
  private readonly lastKnown: LastKnownAllowlist | null;
  private readonly openedAtMs: number;
  private follower: AllowlistFollower | null = null;
  private keeper: AllowlistKeeper | null = null;
  private watch: NodeJS.Timeout | null = null;
  private isWithoutHeartbeat = false;

  private constructor(
    options: RemoteAllowlistOptions,
    file: AllowlistFile,
    lastKnown: LastKnownAllowlist | null,
    open: (held: { epoch: string; seq: number } | null) => RedisFeed,
  ) {
    this.options = options;
    this.file = file;
    this.lastKnown = lastKnown;
    this.openedAtMs = options.now();
    this.feed = open(
      lastKnown === null ? null : { epoch: lastKnown.snapshot.epoch, seq: lastKnown.snapshot.seq },
    );
  }

  /** Reads the copy on disk and begins to follow the store. Logs and ignores a damaged file. */
  static async open(options: RemoteAllowlistOptions): Promise<RemoteAllowlist> {
    const { url, dataDir, log, now } = options;
    // Imported lazily: processes with the embedded store don't load the Redis client.
    const { openRedisFeed } = await import('../../../registry/store/redis/follow/index.ts');
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const file = new AllowlistFile(dataDir);
    const lastKnown = options.predecessor ?? (await readLastKnown(file, log));
    const onPhase = (state: RedisFeedState): void => remote.logPhase(state);
    const remote: RemoteAllowlist = new RemoteAllowlist(options, file, lastKnown, (held) =>
      openRedisFeed({ url, held, now, random: Math.random, onPhase }),
    );
    return remote;
  }

  get fallback(): FollowerFallback {
    return { lastKnown: this.lastKnown?.snapshot ?? null, waitMs: WAIT_MS, giveUp: this.feed.withoutList };
  }

  /** Writes the follower's allowlist to disk from now on. */
  keep(follower: AllowlistFollower): void {
    const { now, log } = this.options;
    this.follower = follower;
    this.keeper = new AllowlistKeeper({
      file: this.file,
      now,
      // Rewriting what was read from disk would make it look younger than it is.
      position: () => (this.isFromStore ? this.position : null),
      take: () => ({ snapshot: follower.snapshot()!, madeAtMs: this.currentAtMs }),
      onError: (error) => log.error({ code: errorCode(error) }, 'last known allowlist not written to disk'),
    });
    this.keeper.start();
    this.watch = setInterval(() => this.watchHeartbeat(), WATCH_MS).unref();
  }

  get state(): AllowlistState {
    const { phase } = this.feed.state;
    const held = this.follower?.state;
    if (held === undefined || held.epoch === null) {
      return phase === 'newer-format' || phase === 'corrupt' ? phase : 'empty';
    }
    if (phase === 'lost-data' || phase === 'newer-format' || phase === 'corrupt') return phase;
    if (held.phase === 'restored') return 'from-disk';
    if (phase === 'disconnected') return phase;
    if (held.phase === 'reloading') return 'reloading';
    return this.isWithoutHeartbeat ? 'no-heartbeat' : 'following';
  }

  /** True once there is any allowlist: a process that has one serves, whatever the state of its store. */
  get isReady(): boolean {
    return this.follower?.state.epoch != null;
  }

  /** Seconds since the allowlist was last known to equal the store's; 0 before there is one. */
  get ageSeconds(): number {
    if (!this.isReady) return 0;
    return Math.max(0, this.options.wallClock() - this.currentAtMs) / 1_000;
  }

  get lagChanges(): number {
    return this.isReady ? this.feed.state.lagChanges : this.feed.state.headSeq;
  }

  get lagSeconds(): number {
    const { behindSinceMs } = this.feed.state;
    return behindSinceMs === null ? 0 : (this.options.now() - behindSinceMs) / 1_000;
  }

  /** Seconds since the last heartbeat of a control. */
  get heartbeatAgeSeconds(): number {
    return (this.options.now() - (this.feed.state.heartbeatAtMs ?? this.openedAtMs)) / 1_000;
  }

  /** Another process keeps the copy on disk from now on. */
  async stopKeeping(): Promise<void> {
    await this.keeper?.stop();
  }

  async close(): Promise<void> {
    if (this.watch !== null) clearInterval(this.watch);
    await this.keeper?.stop();
    await this.feed.close();
  }

  private get isFromStore(): boolean {
    return this.follower!.state.loadedAtMs !== null && this.follower!.state.phase !== 'restored';
  }

  private get position(): { epoch: string; seq: number } | null {
    const { epoch, seq } = this.follower!.state;
    return epoch === null ? null : { epoch, seq };
  }

  /** Milliseconds since 1970. */
  private get currentAtMs(): number {
    const { now, wallClock } = this.options;
    const { currentAtMs } = this.feed.state;
    if (currentAtMs !== null) return wallClock() - (now() - currentAtMs);
    return this.lastKnown?.madeAtMs ?? wallClock() - (now() - this.openedAtMs);
  }

  private logPhase({ phase, reason, headSeq }: RedisFeedState): void {
    const { log } = this.options;
    const seq = this.follower?.state.seq ?? null;
    const fields = { phase, ...(reason !== null && { reason }), storeSeq: headSeq, seq };
    const message = PHASE_MESSAGES[phase];
    if (message !== undefined) log.error(fields, message);
    else if (phase === 'disconnected' && reason !== null) {
      log.error(fields, 'the store rejected the connection: serving the last known allowlist');
    } else if (phase === 'disconnected') {
      log.warn(fields, 'the store is unreachable: serving the last known allowlist');
    } else if (phase === 'following') log.info(fields, 'following the store');
    else log.info(fields, 'connected to the store');
  }

  private watchHeartbeat(): void {
    const isWithout =
      this.feed.state.phase === 'following' && this.heartbeatAgeSeconds * 1_000 > HEARTBEAT_MS;
    if (isWithout === this.isWithoutHeartbeat) return;
    this.isWithoutHeartbeat = isWithout;
    const seconds = Math.round(this.heartbeatAgeSeconds);
    if (isWithout) this.options.log.error({ seconds }, 'no heartbeat in the store: no control is running');
    else this.options.log.info({}, 'heartbeat in the store: a control is running');
  }
}

async function readLastKnown(file: AllowlistFile, log: Log): Promise<LastKnownAllowlist | null> {
  try {
    await file.clear();
    const lastKnown = await file.read();
    if (lastKnown === null) log.info({}, 'no last known allowlist on disk');
    else {
      const { epoch, seq, groups } = lastKnown.snapshot;
      const entries = groups.reduce((sum, { count }) => sum + count, 0);
      const madeAt = new Date(lastKnown.madeAtMs).toISOString();
      log.info({ epoch, seq, entries, madeAt }, 'last known allowlist read from disk');
    }
    return lastKnown;
  } catch (error) {
    log.error({ code: errorCode(error) }, 'last known allowlist on disk is damaged: ignored');
    return null;
  }
}
