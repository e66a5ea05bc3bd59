/** Woken again within this time, a reader is asked more than it should be woken for. */
const BUSY_GAP_MS = 0.5;
/** With fewer items between two looks, being woken costs less than looking. */
const BUSY_ITEMS = 2;
const LOOK_AGAIN_MS = 1;

/**
 * How a reader keeps up that another thread wakes: at a low rate for each item, at once; at a high rate it looks by itself
 * each millisecond, because waking it for each would cost more than the items.
 */
export class AdaptivePolling {
  private wokenMs = Number.NEGATIVE_INFINITY;
  private isLooking = false;

  /** @param taken items since the last call @returns whether to pause and look again, instead of waiting to be woken */
  shouldPoll(nowMs: number, taken: number): boolean {
    this.isLooking = this.isLooking ? taken >= BUSY_ITEMS : taken > 0 && nowMs - this.wokenMs < BUSY_GAP_MS;
    this.wokenMs = nowMs;
    return this.isLooking;
  }

  /** The pause. Keeps no event loop alive. */
  pause(): Promise<void> {
    return new Promise((resolve) => void setTimeout(resolve, LOOK_AGAIN_MS).unref());
  }
}
