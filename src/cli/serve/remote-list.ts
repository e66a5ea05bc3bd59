import { mkdirSync } from 'node:fs';
import type { AllowlistFollower, FollowerFallback, LastKnownAllowlist } from '../../allowlist/index.ts';
import { AllowlistFile, AllowlistKeeper } from '../../allowlist/index.ts';
import type { FeedPhase, RedisFeed, RedisFeedState } from '../../registry/feed/index.ts';
import type { Log } from './log.ts';

/** Within it a store that is there has given its list; a list on disk is served after it. */
const WAIT_MS = 1_000;
/** A control writes every second that it is there; another one takes over within some seconds. */
const HEARTBEAT_MS = 10_000;
const WATCH_MS = 1_000;

/**
 * How the list of an edge stands: a phase of the feed that is a fault, or
 * - empty: there is no list yet, neither from the store nor on disk: everyone is refused;
 * - from-disk: the last known list is served, and the store has not given another one yet;
 * - no-heartbeat: the store answers, but no control is there that would write to it;
 * - following, reloading.
 */
export type ListState = FeedPhase | 'from-disk' | 'no-heartbeat' | 'reloading';

export const LIST_STATES: readonly ListState[] = [
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

export interface RemoteListOptions {
  /** Where the store is that is followed: redis:// or rediss://. */
  readonly url: string;
  readonly dataDir: string;
  readonly log: Log;
  /** Milliseconds of a clock that does not jump. */
  readonly now: () => number;
  /** Milliseconds since 1970: for the age of what is on disk. */
  readonly wallClock: () => number;
}

/**
 * The list of an edge whose store is elsewhere: its feed, the last known list on disk, and what it says of both.
 * With or without the store, a list that was once there is served.
 */
export class RemoteList {
  readonly feed: RedisFeed;
  private readonly options: RemoteListOptions;
  private readonly file: AllowlistFile;
  private readonly kept: LastKnownAllowlist | null;
  private readonly openedAtMs: number;
  private follower: AllowlistFollower | null = null;
  private keeper: AllowlistKeeper | null = null;
  private watch: NodeJS.Timeout | null = null;
  private isWithoutHeartbeat = false;

  private constructor(
    options: RemoteListOptions,
    file: AllowlistFile,
    kept: LastKnownAllowlist | null,
    open: (held: { epoch: string; seq: number } | null) => RedisFeed,
  ) {
    this.options = options;
    this.file = file;
    this.kept = kept;
    this.openedAtMs = options.now();
    this.feed = open(kept === null ? null : { epoch: kept.snapshot.epoch, seq: kept.snapshot.seq });
  }

  /** Reads what is on disk and begins to follow the store. A file that is not sound is said, and not used. */
  static async open(options: RemoteListOptions): Promise<RemoteList> {
    const { url, dataDir, log, now } = options;
    // Loaded here, so that an edge of the embedded store is without its client.
    const { openRedisFeed } = await import('../../registry/feed/index.ts');
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const file = new AllowlistFile(dataDir);
    const kept = await readKept(file, log);
    const onPhase = (state: RedisFeedState): void => list.tell(state);
    const list: RemoteList = new RemoteList(options, file, kept, (held) =>
      openRedisFeed({ url, held, now, random: Math.random, onPhase }),
    );
    return list;
  }

  get fallback(): FollowerFallback {
    return { lastKnown: this.kept?.snapshot ?? null, waitMs: WAIT_MS, giveUp: this.feed.withoutList };
  }

  /** From now on the list that this follower serves is written to disk. */
  keep(follower: AllowlistFollower): void {
    const { now, log } = this.options;
    this.follower = follower;
    this.keeper = new AllowlistKeeper({
      file: this.file,
      now,
      // What was read from disk is there already; its age is not to be made younger.
      position: () => (this.isFromStore ? this.position : null),
      take: () => ({ snapshot: follower.snapshot()!, madeAtMs: this.currentAtMs }),
      onError: (error) =>
        log.error({ code: codeOf(error) }, 'the last known allowlist is not written to disk'),
    });
    this.keeper.start();
    this.watch = setInterval(() => this.watchHeartbeat(), WATCH_MS).unref();
  }

  get state(): ListState {
    const { phase } = this.feed.state;
    const list = this.follower?.state;
    if (list === undefined || list.epoch === null) {
      return phase === 'newer-format' || phase === 'corrupt' ? phase : 'empty';
    }
    if (phase === 'lost-data' || phase === 'newer-format' || phase === 'corrupt') return phase;
    if (list.phase === 'restored') return 'from-disk';
    if (phase === 'disconnected') return phase;
    if (list.phase === 'reloading') return 'reloading';
    return this.isWithoutHeartbeat ? 'no-heartbeat' : 'following';
  }

  /** Any list is better than none: an edge that holds one serves, whatever its store does. */
  get isReady(): boolean {
    return this.follower?.state.epoch != null;
  }

  /** How long ago the list was last known to be the store's; 0 before there is one. */
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

  /** Seconds since a control was seen to be there. */
  get heartbeatAgeSeconds(): number {
    return (this.options.now() - (this.feed.state.heartbeatAtMs ?? this.openedAtMs)) / 1_000;
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
    return this.kept?.madeAtMs ?? wallClock() - (now() - this.openedAtMs);
  }

  private tell({ phase, reason, headSeq }: RedisFeedState): void {
    const { log } = this.options;
    const held = this.follower?.state;
    const fields = { phase, ...(reason !== null && { reason }), storeSeq: headSeq, seq: held?.seq ?? null };
    if (phase === 'lost-data')
      log.error(fields, 'the store lost data: the list is held until registry adopt');
    else if (phase === 'newer-format') {
      log.error(fields, 'the store is of a newer format: the list is held until this edge is updated');
    } else if (phase === 'corrupt') log.error(fields, 'the store gives damaged data: the list is held');
    else if (phase === 'disconnected' && reason !== null) {
      log.error(fields, 'the store turns this edge down: the list is held');
    } else if (phase === 'disconnected') log.warn(fields, 'the store does not answer: the list is held');
    else if (phase === 'following') log.info(fields, 'the store is followed');
    else log.info(fields, 'the store answers');
  }

  private watchHeartbeat(): void {
    const isWithout =
      this.feed.state.phase === 'following' && this.heartbeatAgeSeconds * 1_000 > HEARTBEAT_MS;
    if (isWithout === this.isWithoutHeartbeat) return;
    this.isWithoutHeartbeat = isWithout;
    const seconds = Math.round(this.heartbeatAgeSeconds);
    if (isWithout) this.options.log.error({ seconds }, 'no control writes to the store');
    else this.options.log.info({}, 'a control writes to the store');
  }
}

async function readKept(file: AllowlistFile, log: Log): Promise<LastKnownAllowlist | null> {
  try {
    await file.clear();
    const kept = await file.read();
    if (kept === null) log.info({}, 'no last known list on disk');
    else {
      const entries = kept.snapshot.groups.reduce((sum, { count }) => sum + count, 0);
      const { epoch, seq } = kept.snapshot;
      const madeAt = new Date(kept.madeAtMs).toISOString();
      log.info({ epoch, seq, entries, madeAt }, 'last known list read from disk');
    }
    return kept;
  } catch (error) {
    log.error({ code: codeOf(error) }, 'the last known list on disk is not used');
    return null;
  }
}

function codeOf(fault: unknown): string {
  return String((fault as { code?: unknown }).code ?? 'unknown');
}
