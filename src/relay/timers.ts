/** Calls back after a delay. @returns a function that cancels the timer */
export type After = (delayMs: number, callback: () => void) => () => void;

interface Timer {
  readonly dueMs: number;
  callback: (() => void) | null;
}

/**
 * Timers of a thread that never returns to its event loop. Few distinct delays are in use, so each has its own
 * queue, ordered by due time; cancelled timers are skipped.
 */
export class Timers {
  private readonly queues = new Map<number, Timer[]>();
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  readonly after: After = (delayMs, callback) => {
    let queue = this.queues.get(delayMs);
    if (queue === undefined) {
      queue = [];
      this.queues.set(delayMs, queue);
    }
    const timer: Timer = { dueMs: this.now() + delayMs, callback };
    queue.push(timer);
    return () => {
      timer.callback = null;
    };
  };

  /** Milliseconds until the next timer is due, at most `atMost`. */
  untilNext(atMost: number): number {
    let next = this.now() + atMost;
    for (const queue of this.queues.values()) {
      let cancelled = 0;
      while (cancelled < queue.length && queue[cancelled].callback === null) cancelled++;
      if (cancelled > 0) queue.splice(0, cancelled);
      if (queue.length > 0) next = Math.min(next, queue[0].dueMs);
    }
    return Math.max(0, next - this.now());
  }

  /** Runs all due timers. */
  run(): void {
    const now = this.now();
    for (const queue of this.queues.values()) {
      let due = 0;
      while (due < queue.length && (queue[due].callback === null || queue[due].dueMs <= now)) due++;
      if (due === 0) continue;
      for (const timer of queue.splice(0, due)) timer.callback?.();
    }
  }
}

/** Timers of Node's event loop. */
export const eventLoopTimers: After = (delayMs, callback) => {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
};
