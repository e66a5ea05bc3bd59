import { LRUCache } from 'lru-cache';

interface Window {
  count: number;
  endsAt: number;
}

interface ThrottleOptions {
  /** Events per window and source. */
  limit: number;
  windowSeconds: number;
  /** Sources remembered at once. */
  sources: number;
  now: () => number;
}

/**
 * Counts events by source in fixed windows. Memory is bounded by `sources`: a flood from more sources makes it forget
 * older ones, so that it becomes less strict.
 */
export class Throttle {
  private readonly options: ThrottleOptions;
  private readonly windows: LRUCache<string, Window>;

  constructor(options: ThrottleOptions) {
    this.options = options;
    this.windows = new LRUCache({ max: options.sources });
  }

  /** Counts one event. Returns 0 within the limit, else the whole seconds until the next window. */
  count(source: string): number {
    const { isOver, resetSeconds } = this.take(source);
    return isOver ? resetSeconds : 0;
  }

  /** Counts one event. Returns the events that are left and the whole seconds until the next window. */
  take(source: string): { isOver: boolean; remaining: number; resetSeconds: number } {
    const now = this.options.now();
    let window = this.windows.get(source);
    if (window === undefined || now >= window.endsAt) {
      window = { count: 0, endsAt: now + this.options.windowSeconds * 1000 };
      this.windows.set(source, window);
    }
    window.count += 1;
    const { limit } = this.options;
    return {
      isOver: window.count > limit,
      remaining: Math.max(0, limit - window.count),
      resetSeconds: Math.max(1, Math.ceil((window.endsAt - now) / 1000)),
    };
  }
}
