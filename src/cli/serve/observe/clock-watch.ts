import type { Log } from '../log.ts';

const DAY_MS = 86_400_000;
/** Time for an operator to correct the clock; after it, the new time counts. */
const HOLD_MS = DAY_MS;

export interface Clocks {
  /** Monotonic clock, in ms. */
  readonly now: () => number;
  /** Ms since 1970. */
  readonly wallClock: () => number;
}

/**
 * Notices when the wall clock jumps forward by more than a day: leases would end, and with them everybody's service,
 * because of a wrong clock. It alarms until the clock is back, the process restarts, or a day has passed. A host that
 * was suspended for so long looks the same.
 */
export class ClockWatch {
  private readonly clocks: Clocks;
  private readonly log: Log;
  /** Wall clock minus monotonic clock, as trusted. */
  private offsetMs: number;
  private jumpedAtMs: number | null = null;
  private jumpMs = 0;

  constructor(clocks: Clocks, log: Log) {
    this.clocks = clocks;
    this.log = log;
    this.offsetMs = clocks.wallClock() - clocks.now();
  }

  /** Size of the jump in seconds; 0 while the clock is trusted. */
  get jumpSeconds(): number {
    return this.jumpedAtMs === null ? 0 : Math.round(this.jumpMs / 1000);
  }

  /** Compares the clocks; call it at least every minute. @returns true while the wall clock is not to be trusted */
  check(): boolean {
    const nowMs = this.clocks.now();
    const offsetMs = this.clocks.wallClock() - nowMs;
    const jumpMs = offsetMs - this.offsetMs;
    if (jumpMs <= DAY_MS) {
      // Small steps and slewing are followed, so that they do not add up.
      this.offsetMs = offsetMs;
      if (this.jumpedAtMs !== null) this.log.warn({}, 'the clock is back: leases end by it again');
      this.jumpedAtMs = null;
      return false;
    }
    this.jumpMs = jumpMs;
    if (this.jumpedAtMs === null) {
      this.jumpedAtMs = nowMs;
      const seconds = this.jumpSeconds;
      this.log.error(
        { seconds },
        'the clock jumped forward: no lease ends until it is corrected, for a day at most',
      );
    }
    if (nowMs - this.jumpedAtMs < HOLD_MS) return true;
    this.offsetMs = offsetMs;
    this.jumpedAtMs = null;
    this.log.warn({}, 'the clock was not corrected within a day: leases end by it again');
    return false;
  }
}
