import { LRUCache } from 'lru-cache';
import type { Address } from '../net/index.ts';
import type { DueHostname, Hostnames } from '../registry/index.ts';

/** Result of a look-up; `families` are those that were answered. */
export interface HostnameAnswer {
  addresses: readonly Address[];
  families: readonly (4 | 6)[];
  ttlSeconds: number;
}

export interface HostnameFollowerOptions {
  hostnames: Pick<Hostnames, 'due' | 'settle'>;
  /** Looks a name up, bypassing the cache. Should give up soon after the signal. */
  resolve(hostname: string, signal: AbortSignal): Promise<HostnameAnswer>;
  /** True if this process is the leader of the controls that share the store. */
  isLeader(): boolean;
  /** Milliseconds since 1970. */
  now(): number;
  /** 0 to 1. */
  random(): number;
  /** Receives errors of the store and of this program; the name is tried again. */
  onError(error: unknown): void;
  pollMs?: number;
}

const POLL_MS = 1000;
/** Names fetched at a time. */
const BATCH = 2000;
/** Fetch again, without waiting for the next poll, when fewer names than this are queued. */
const LOW_WATER = 500;
const LANES = { normal: 256, slow: 32 } as const;
/** Look-ups in progress, those that have left their lane included. */
const MAX_LOOKUPS = 1024;
/** Time after which a name counts as slow and leaves the normal lane to others. */
const SLOW_MS = 500;
/** Limit of a look-up in all. */
const LOOKUP_MS = 5000;
/** Slow names that may wait; those past it are put off without a look-up. */
const MAX_SLOW_QUEUE = 2000;
const REMEMBERED_SLOW_NAMES = 100_000;
/** Bounds of a name's TTL. DDNS providers use 60 s and less; homes change address at most daily. */
const LEAST_SECONDS = 60;
const MOST_SECONDS = 3600;
/** Wait after a failure, and for a name without addresses. */
const FAILED_SECONDS = 300;
/** Wait of a suspended account's name, which is not looked up. */
const SUSPENDED_SECONDS = 3600;
/** Fraction of the wait that is added at random, so that names added together spread out. */
const JITTER = 0.2;

const NO_ANSWER: HostnameAnswer = { addresses: [], families: [], ttlSeconds: 0 };

class Lane {
  readonly slots: number;
  readonly queue: DueHostname[] = [];
  running = 0;

  constructor(slots: number) {
    this.slots = slots;
  }
}

/**
 * Follows the DDNS names of accounts: looks each up when its TTL has passed and replaces its registered addresses. Due
 * times are in the store, so that a restart or another leader continues.
 *
 * A pool, not rounds: the end of each look-up starts the next one. An account has one look-up at a time, and slow names
 * have a lane of their own, so that slow zones delay nobody else's names.
 */
export class HostnameFollower {
  private readonly options: HostnameFollowerOptions;
  private readonly normal = new Lane(LANES.normal);
  private readonly slow = new Lane(LANES.slow);
  /** Names that were due and are not settled yet, by id. */
  private readonly pending = new Set<string>();
  /** Further names of accounts that have a look-up in progress. */
  private readonly busyAccounts = new Map<string, DueHostname[]>();
  private readonly slowNames = new LRUCache<string, true>({ max: REMEMBERED_SLOW_NAMES });
  private timer: NodeJS.Timeout | null = null;
  private fetching: Promise<void> | null = null;
  private mayHaveMore = false;
  private lookups = 0;
  private onIdle: (() => void)[] = [];

  constructor(options: HostnameFollowerOptions) {
    this.options = options;
  }

  /** Names that are due and wait for their look-up or its end. */
  get due(): number {
    return this.pending.size;
  }

  start(): void {
    this.timer = setInterval(() => void this.poll(), this.options.pollMs ?? POLL_MS).unref();
  }

  /** Drops waiting names and stops once the look-ups in progress have ended. */
  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    await this.fetching;
    this.dropQueues();
    await this.idle();
  }

  /** Resolves when no name is pending. */
  idle(): Promise<void> {
    if (this.pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.onIdle.push(resolve));
  }

  /** Fetches due names, unless a fetch is running, and starts look-ups. */
  poll(): Promise<void> {
    this.fetching ??= this.fetch().finally(() => {
      this.fetching = null;
    });
    return this.fetching;
  }

  private async fetch(): Promise<void> {
    const { hostnames, isLeader, onError } = this.options;
    this.mayHaveMore = false;
    if (!isLeader()) return this.dropQueues();
    try {
      const limit = this.pending.size + BATCH;
      const found = await hostnames.due(limit);
      for (const name of found) this.enqueue(name);
      this.mayHaveMore = found.length === limit;
      this.fill();
    } catch (error) {
      onError(error);
    }
  }

  private dropQueues(): void {
    const waiting = [...this.busyAccounts.values()].map((names) => names.splice(0));
    for (const name of [...this.normal.queue.splice(0), ...this.slow.queue.splice(0), ...waiting.flat()]) {
      this.pending.delete(name.id);
    }
    this.checkIdle();
  }

  private enqueue(name: DueHostname): void {
    if (this.pending.has(name.id)) return;
    this.pending.add(name.id);
    if (name.suspended === true) return void this.settle(name, NO_ANSWER, SUSPENDED_SECONDS);
    const isSlow = this.slowNames.has(name.id);
    if (isSlow && this.slow.queue.length >= MAX_SLOW_QUEUE) void this.settle(name, NO_ANSWER);
    else (isSlow ? this.slow : this.normal).queue.push(name);
  }

  /** Starts look-ups while lanes have free slots. */
  private fill(): void {
    for (const lane of [this.normal, this.slow]) {
      while (lane.running < lane.slots && this.lookups < MAX_LOOKUPS) {
        const name = lane.queue.shift();
        if (name === undefined) break;
        const waiting = this.busyAccounts.get(name.accountId);
        if (waiting !== undefined) waiting.push(name);
        else void this.follow(name, lane);
      }
    }
    if (this.mayHaveMore && this.normal.queue.length < LOW_WATER) void this.poll();
  }

  private async follow(name: DueHostname, lane: Lane): Promise<void> {
    this.busyAccounts.set(name.accountId, []);
    const answer = await this.lookUp(name, lane);
    await this.settle(name, answer);
    const waiting = this.busyAccounts.get(name.accountId)!;
    this.busyAccounts.delete(name.accountId);
    for (const other of waiting.reverse()) {
      (this.slowNames.has(other.id) ? this.slow : this.normal).queue.unshift(other);
    }
    this.fill();
  }

  /** Looks a name up within LOOKUP_MS. A name that takes SLOW_MS leaves its slot of the normal lane. */
  private lookUp({ id, hostname }: DueHostname, lane: Lane): Promise<HostnameAnswer> {
    const { resolve, onError } = this.options;
    const abort = new AbortController();
    let holdsSlot = true;
    const leaveLane = () => {
      if (holdsSlot) lane.running -= 1;
      holdsSlot = false;
    };
    lane.running += 1;
    this.lookups += 1;
    return new Promise((done) => {
      const slowTimer = setTimeout(() => {
        this.slowNames.set(id, true);
        if (lane !== this.normal) return;
        leaveLane();
        this.fill();
      }, SLOW_MS);
      const endTimer = setTimeout(() => {
        abort.abort();
        leaveLane();
        done(NO_ANSWER);
      }, LOOKUP_MS);
      const started = performance.now();
      resolve(hostname, abort.signal)
        .catch((error: unknown) => {
          onError(error);
          return NO_ANSWER;
        })
        .then((answer) => {
          clearTimeout(slowTimer);
          clearTimeout(endTimer);
          if (performance.now() - started < SLOW_MS) this.slowNames.delete(id);
          this.lookups -= 1;
          leaveLane();
          done(answer);
          this.fill();
        });
    });
  }

  private async settle(
    name: DueHostname,
    answer: HostnameAnswer,
    seconds = waitSeconds(answer),
  ): Promise<void> {
    const { hostnames, now, random, onError } = this.options;
    const { addresses, families } = answer;
    const waitMs = 1000 * seconds * (1 + JITTER * random());
    try {
      await hostnames.settle(name, { addresses, families, nextAtMs: Math.round(now() + waitMs) });
    } catch (error) {
      // The name stays due; the next poll tries again.
      this.mayHaveMore = false;
      onError(error);
    }
    this.pending.delete(name.id);
    this.checkIdle();
  }

  private checkIdle(): void {
    if (this.pending.size > 0) return;
    for (const resolve of this.onIdle.splice(0)) resolve();
  }
}

function waitSeconds({ addresses, families, ttlSeconds }: HostnameAnswer): number {
  if (families.length === 0 || addresses.length === 0) return FAILED_SECONDS;
  return Math.min(Math.max(ttlSeconds, LEAST_SECONDS), MOST_SECONDS);
}
