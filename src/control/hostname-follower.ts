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
  /** Looks a name up, bypassing the cache. */
  resolve(hostname: string): Promise<HostnameAnswer>;
  /** True if this process is the leader of the controls that share the store. */
  isHolder(): boolean;
  /** Milliseconds since 1970. */
  now(): number;
  /** 0 to 1. */
  random(): number;
  /** Receives errors of the store and of this program; the name is tried again. */
  onError(error: unknown): void;
  pollMs?: number;
}

const POLL_MS = 1000;
/** Names fetched per round, and look-ups at a time. */
const TAKEN = 64;
const PARALLEL = 8;
/** Bounds of a name's TTL. DDNS providers use 60 s and less; homes change address at most daily. */
const LEAST_SECONDS = 60;
const MOST_SECONDS = 3600;
/** Wait after a failure, and for a name without addresses. */
const FAILED_SECONDS = 300;
/** Fraction of the wait that is added at random, so that names added together spread out. */
const JITTER = 0.2;

/**
 * Follows the DDNS names of accounts: looks each up when its TTL has passed and replaces its registered addresses. Due
 * times are in the store, so that a restart or another leader continues.
 */
export class HostnameFollower {
  private readonly options: HostnameFollowerOptions;
  private timer: NodeJS.Timeout | null = null;
  private round: Promise<void> | null = null;

  constructor(options: HostnameFollowerOptions) {
    this.options = options;
  }

  start(): void {
    this.timer = setInterval(() => void this.poll(), this.options.pollMs ?? POLL_MS).unref();
  }

  /** Stops once the look-ups in progress have ended. */
  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    await this.round;
  }

  /** Looks up due names, unless a round is running. */
  poll(): Promise<void> {
    this.round ??= this.run().finally(() => {
      this.round = null;
    });
    return this.round;
  }

  private async run(): Promise<void> {
    const { hostnames, isHolder, onError } = this.options;
    if (!isHolder()) return;
    try {
      const due = await hostnames.due(TAKEN);
      const workers = Array.from({ length: Math.min(PARALLEL, due.length) }, async () => {
        for (let next = due.shift(); next !== undefined; next = due.shift()) await this.follow(next);
      });
      await Promise.all(workers);
    } catch (error) {
      onError(error);
    }
  }

  private async follow(due: DueHostname): Promise<void> {
    const { hostnames, resolve, now, random, onError } = this.options;
    const answer = await resolve(due.hostname).catch((error: unknown) => {
      onError(error);
      return { addresses: [], families: [], ttlSeconds: 0 } satisfies HostnameAnswer;
    });
    const waitMs = 1000 * waitSeconds(answer) * (1 + JITTER * random());
    const { addresses, families } = answer;
    await hostnames.settle(due, { addresses, families, nextAtMs: Math.round(now() + waitMs) });
  }
}

function waitSeconds({ addresses, families, ttlSeconds }: HostnameAnswer): number {
  if (families.length === 0 || addresses.length === 0) return FAILED_SECONDS;
  return Math.min(Math.max(ttlSeconds, LEAST_SECONDS), MOST_SECONDS);
}
