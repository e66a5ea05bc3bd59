import { LRUCache } from 'lru-cache';

interface Window {
  count: number;
  endsAt: number;
}

export interface ThrottleOptions {
  /** How many a source may have in a window. */
  limit: number;
  windowSeconds: number;
  /** Sources remembered at once. */
  sources: number;
  now: () => number;
}

/**
 * Counts by source (of failures: who tries; of updates: whose they are) in fixed windows. Memory is bounded by `sources`: a flood from more of them than that
 * makes it forget the older ones, which costs strictness and nothing else.
 */
export class Throttle {
  private readonly options: ThrottleOptions;
  private readonly windows: LRUCache<string, Window>;

  constructor(options: ThrottleOptions) {
    this.options = options;
    this.windows = new LRUCache({ max: options.sources });
  }

  /**
   * Notes one more.
   *
   * @returns 0 while the source is within its limit, else the whole seconds until it has some again
   */
  count(source: string): number {
    const now = this.options.now();
    let window = this.windows.get(source);
    if (window === undefined || now >= window.endsAt) {
      window = { count: 0, endsAt: now + this.options.windowSeconds * 1000 };
      this.windows.set(source, window);
    }
    window.count += 1;
    if (window.count <= this.options.limit) return 0;
    return Math.max(1, Math.ceil((window.endsAt - now) / 1000));
  }
}
