import { LRUCache } from 'lru-cache';

interface Window {
  failures: number;
  endsAt: number;
}

export interface ThrottleOptions {
  /** Failures a source may have in a window. */
  failures: number;
  windowSeconds: number;
  /** Sources remembered at once. */
  sources: number;
  now: () => number;
}

/**
 * Counts failures by source in fixed windows. Memory is bounded by `sources`: a flood from more of them than that
 * makes it forget the older ones, which costs strictness and nothing else.
 */
export class FailureThrottle {
  readonly #options: ThrottleOptions;
  readonly #windows: LRUCache<string, Window>;

  constructor(options: ThrottleOptions) {
    this.#options = options;
    this.#windows = new LRUCache({ max: options.sources });
  }

  /**
   * Notes a failure.
   *
   * @returns 0 while the source has attempts left, else the whole seconds until it has some again
   */
  fail(source: string): number {
    const now = this.#options.now();
    let window = this.#windows.get(source);
    if (window === undefined || now >= window.endsAt) {
      window = { failures: 0, endsAt: now + this.#options.windowSeconds * 1000 };
      this.#windows.set(source, window);
    }
    window.failures += 1;
    if (window.failures <= this.#options.failures) return 0;
    return Math.max(1, Math.ceil((window.endsAt - now) / 1000));
  }
}
