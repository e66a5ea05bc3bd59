import type { ReadinessCheck } from '../../../metrics/scrape/index.ts';
import type { LoopingThread } from '../../../sys/index.ts';

const TICK_MS = 500;
/** Threads wait at most 1 s in a system call, and have 2 s for a turn from there on. */
const STUCK_MS = 3000;
/**
 * Most time that counts between two ticks. A late tick means a busy or suspended machine, which makes the threads late,
 * too.
 */
const MOST_TICK_MS = 2 * TICK_MS;

export interface ThreadWatchOptions {
  readonly threads: () => readonly LoopingThread[];
  /** Monotonic clock, in ms. */
  readonly now: () => number;
  readonly onStuck: (thread: string) => void;
  readonly onMoving: (thread: string) => void;
}

interface Standing {
  turns: number;
  stillMs: number;
}

/** Notices threads whose loop stands still: their packets and connections are not served. */
export class ThreadWatch {
  private readonly options: ThreadWatchOptions;
  private readonly timer: NodeJS.Timeout;
  private standing = new Map<string, Standing>();
  private tickedAtMs: number;

  constructor(options: ThreadWatchOptions) {
    this.options = options;
    this.tickedAtMs = options.now();
    this.timer = setInterval(() => this.tick(), TICK_MS).unref();
  }

  /** Names of the threads that stand still. */
  get stuck(): readonly string[] {
    this.tick();
    return [...this.standing].filter(([, { stillMs }]) => stillMs >= STUCK_MS).map(([name]) => name);
  }

  /** Not ready while a thread is stuck. */
  readiness(): ReturnType<ReadinessCheck['check']> {
    const { stuck } = this;
    if (stuck.length === 0) return { ready: true, state: 'moving' };
    return { ready: false, state: 'stuck', detail: { threads: stuck.join(' ') } };
  }

  close(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const { threads, now, onStuck, onMoving } = this.options;
    const nowMs = now();
    const sinceMs = Math.min(nowMs - this.tickedAtMs, MOST_TICK_MS);
    this.tickedAtMs = nowMs;
    const before = this.standing;
    this.standing = new Map();
    for (const { name, turns } of threads()) {
      const known = before.get(name);
      const isStill = known !== undefined && known.turns === turns;
      const stillMs = isStill ? known.stillMs + sinceMs : 0;
      this.standing.set(name, { turns, stillMs });
      const wasStuck = known !== undefined && known.stillMs >= STUCK_MS;
      if (stillMs >= STUCK_MS && !wasStuck) onStuck(name);
      else if (wasStuck && !isStill) onMoving(name);
    }
  }
}
