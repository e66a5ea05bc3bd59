import { setTimeout as delay } from 'node:timers/promises';
import type { Registry } from '../../../registry/index.ts';
import { errorCode } from '../../error-code.ts';
import type { Log } from '../log.ts';
import { type Clocks, ClockWatch } from './clock-watch.ts';

const EXPIRY_INTERVAL_MS = 60_000;
const LAPSE_INTERVAL_MS = 3_600_000;
/** Leadership of a shared store can change at any time, so it is polled. */
const POLL_MS = 1_000;
/** Upper bound on how long expiry may delay the start. */
const FIRST_EXPIRY_MS = 10_000;

/**
 * Ends leases that have expired, once a minute, and erases accounts that nobody uses (retention.lapsedDays), once an hour, if
 * the clock can be trusted. With a shared store only the leader does.
 */
export class LeaseExpiry {
  readonly clock: ClockWatch;
  private readonly registry: Pick<Registry, 'expireLeases' | 'eraseLapsed' | 'isLeader'>;
  private readonly log: Log;
  private readonly now: () => number;
  private readonly timer: NodeJS.Timeout;
  private dueAtMs = Number.NEGATIVE_INFINITY;
  private lapsesDueAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    registry: Pick<Registry, 'expireLeases' | 'eraseLapsed' | 'isLeader'>,
    log: Log,
    clocks: Clocks,
  ) {
    this.registry = registry;
    this.log = log;
    this.now = clocks.now;
    this.clock = new ClockWatch(clocks, log);
    this.timer = setInterval(() => void this.expire(), POLL_MS).unref();
  }

  /** Resolves when leases that ended while the process was off are gone, or after 10 s. */
  static async start(registry: Registry, log: Log, clocks: Clocks): Promise<LeaseExpiry> {
    const expiry = new LeaseExpiry(registry, log, clocks);
    await Promise.race([expiry.expire(), delay(FIRST_EXPIRY_MS, undefined, { ref: false })]);
    return expiry;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  async expire(): Promise<void> {
    if (this.clock.check()) return;
    if (!this.registry.isLeader || this.now() < this.dueAtMs) return;
    this.dueAtMs = this.now() + EXPIRY_INTERVAL_MS;
    try {
      await this.registry.expireLeases();
      if (this.now() >= this.lapsesDueAtMs) {
        this.lapsesDueAtMs = this.now() + LAPSE_INTERVAL_MS;
        await this.eraseLapsed();
      }
    } catch (error) {
      this.log.error({ code: errorCode(error) }, 'leases not expired');
    }
  }

  private async eraseLapsed(): Promise<void> {
    const erased = await this.registry.eraseLapsed();
    if (erased > 0) this.log.info({ erased }, 'erased accounts that nobody used for retention.lapsedDays');
  }
}
