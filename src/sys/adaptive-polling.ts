/** A reader woken again within this time is busy: polling is cheaper than waking it for each item. */
const BUSY_GAP_MS = 0.5;
/** With fewer items between two polls, being woken is cheaper than polling. */
const BUSY_ITEMS = 2;
const LOOK_AGAIN_MS = 1;

/**
 * Adaptive polling for a reader that another thread wakes. At a low rate it is woken for each item, at once; at a high rate
 * it polls every millisecond, because each wake-up would cost more than the item.
 */
export class AdaptivePolling {
  private wokenMs = Number.NEGATIVE_INFINITY;
  private isLooking = false;

  /** @param taken items since the last call @returns true to pause and poll again, false to wait for a wake-up */
  shouldPoll(nowMs: number, taken: number): boolean {
    this.isLooking = this.isLooking ? taken >= BUSY_ITEMS : taken > 0 && nowMs - this.wokenMs < BUSY_GAP_MS;
    this.wokenMs = nowMs;
    return this.isLooking;
  }

  /** Pauses before the next poll. Does not keep the event loop alive. */
  pause(): Promise<void> {
    return new Promise((resolve) => void setTimeout(resolve, LOOK_AGAIN_MS).unref());
  }
}
