/** Calls back after a delay. @returns a function that cancels the timer */
export type After = (delayMs: number, callback: () => void) => () => void;

interface Timer {
  readonly dueMs: number;
  callback: (() => void) | null;
}

/** Timers of one delay, ordered by due time. Those before `head` are over. */
class TimerQueue {
  private readonly timers: Timer[] = [];
  private head = 0;

  add(timer: Timer): void {
    this.timers.push(timer);
  }

  /** First timer that is not cancelled. */
  first(): Timer | null {
    const { timers } = this;
    while (this.head < timers.length && timers[this.head].callback === null) this.head++;
    if (this.head >= MAX_OVER) {
      timers.splice(0, this.head);
      this.head = 0;
    }
    return this.head < timers.length ? timers[this.head] : null;
  }
}

const MAX_OVER = 1024;

/**
 * Timers of a thread that never returns to its event loop. Few distinct delays are in use, so each has its own queue,
 * ordered by due time; cancelled timers are skipped.
 */
export class Timers {
  private readonly queues = new Map<number, TimerQueue>();
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  readonly after: After = (delayMs, callback) => {
    let queue = this.queues.get(delayMs);
    if (queue === undefined) {
      queue = new TimerQueue();
      this.queues.set(delayMs, queue);
    }
    const timer: Timer = { dueMs: this.now() + delayMs, callback };
    queue.add(timer);
    return () => {
      timer.callback = null;
    };
  };

  /** Milliseconds until the next timer is due, at most `atMost`. */
  untilNext(atMost: number): number {
    const now = this.now();
    let next = now + atMost;
    for (const queue of this.queues.values()) {
      const timer = queue.first();
      if (timer !== null) next = Math.min(next, timer.dueMs);
    }
    return Math.max(0, next - now);
  }

  /** Runs all timers that are due by now. */
  run(): void {
    const now = this.now();
    for (const queue of this.queues.values()) {
      for (let timer = queue.first(); timer !== null && timer.dueMs <= now; timer = queue.first()) {
        const { callback } = timer;
        timer.callback = null;
        callback!();
      }
    }
  }
}

/** Timers of Node's event loop. */
export const eventLoopTimers: After = (delayMs, callback) => {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
};
