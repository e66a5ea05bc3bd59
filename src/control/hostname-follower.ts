import type { Address } from '../net/index.ts';
import type { DueHostname, Hostnames } from '../registry/index.ts';

/** What looking a name up found; `families` are those that are known about. */
export interface HostnameAnswer {
  addresses: readonly Address[];
  families: readonly (4 | 6)[];
  ttlSeconds: number;
}

export interface HostnameFollowerOptions {
  hostnames: Pick<Hostnames, 'due' | 'settle'>;
  /** Looks a name up afresh. */
  resolve(hostname: string): Promise<HostnameAnswer>;
  /** Whether this process does the chores: of several controls one does. */
  isHolder(): boolean;
  /** Milliseconds since 1970. */
  now(): number;
  /** 0 to 1. */
  random(): number;
  /** Told of a fault of the store or of this program; the name is tried again. */
  onFault(fault: unknown): void;
  pollMs?: number;
}

const POLL_MS = 1000;
/** Names that are taken up at once, and how many of them are looked up at a time. */
const TAKEN = 64;
const PARALLEL = 8;
/** DDNS providers give 60 s and less; a home's address changes daily at most. */
const LEAST_SECONDS = 60;
const MOST_SECONDS = 3600;
/** After a failure, and for a name that has no address. */
const FAILED_SECONDS = 300;
/** By how much of its wait a name comes later, so that names that were added together spread. */
const JITTER = 0.2;

/**
 * Follows the DDNS names of accounts: each is looked up when its TTL is over, and its addresses are registered in place
 * of those that it had. What is due stands in the store, so that a restart or another process goes on from there.
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

  /** Ends after the names that are being looked up. */
  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    await this.round;
  }

  /** Looks up what is due, unless that is under way already. */
  poll(): Promise<void> {
    this.round ??= this.run().finally(() => {
      this.round = null;
    });
    return this.round;
  }

  private async run(): Promise<void> {
    const { hostnames, isHolder, onFault } = this.options;
    if (!isHolder()) return;
    try {
      const due = await hostnames.due(TAKEN);
      const workers = Array.from({ length: Math.min(PARALLEL, due.length) }, async () => {
        for (let next = due.shift(); next !== undefined; next = due.shift()) await this.follow(next);
      });
      await Promise.all(workers);
    } catch (error) {
      onFault(error);
    }
  }

  private async follow(due: DueHostname): Promise<void> {
    const { hostnames, resolve, now, random, onFault } = this.options;
    const answer = await resolve(due.hostname).catch((fault: unknown) => {
      onFault(fault);
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
