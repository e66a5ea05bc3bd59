import { setTimeout as delay } from 'node:timers/promises';
import type { Registry } from '../../../registry/index.ts';
import { monotonicClock } from '../../../sys/index.ts';
import { errorCode } from '../../error-code.ts';
import type { Log } from '../log.ts';

const EXPIRY_INTERVAL_MS = 60_000;
/** Leadership of a shared store can change at any time, so it is polled. */
const POLL_MS = 1_000;
/** Upper bound on how long expiry may delay the start. */
const FIRST_EXPIRY_MS = 10_000;

/** Ends leases that have expired, once a minute. With a shared store only the leader does it. */
export class LeaseExpiry {
  private readonly registry: Registry;
  private readonly log: Log;
  private readonly now = monotonicClock();
  private readonly timer: NodeJS.Timeout;
  private dueAtMs = Number.NEGATIVE_INFINITY;

  private constructor(registry: Registry, log: Log) {
    this.registry = registry;
    this.log = log;
    this.timer = setInterval(() => void this.expire(), POLL_MS).unref();
  }

  /** Resolves when leases that ended while the process was off are gone, or after 10 s. */
  static async start(registry: Registry, log: Log): Promise<LeaseExpiry> {
    const expiry = new LeaseExpiry(registry, log);
    await Promise.race([expiry.expire(), delay(FIRST_EXPIRY_MS, undefined, { ref: false })]);
    return expiry;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async expire(): Promise<void> {
    if (!this.registry.isLeader || this.now() < this.dueAtMs) return;
    this.dueAtMs = this.now() + EXPIRY_INTERVAL_MS;
    try {
      await this.registry.expireLeases();
    } catch (error) {
      this.log.error({ code: errorCode(error) }, 'leases not expired');
    }
  }
}
