import { StoreUnavailableError } from '../../errors.ts';

/** Runs up to `width` tasks at a time; others wait in order, up to `limit` in all. */
export class ConcurrencyLimit {
  private readonly width: number;
  private readonly limit: number;
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  constructor(options: { width: number; limit: number }) {
    this.width = options.width;
    this.limit = options.limit;
  }

  /** Tasks that run or wait. */
  get size(): number {
    return this.running + this.waiting.length;
  }

  /** @throws StoreUnavailableError past the limit; errors of `task` */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.size >= this.limit) {
      throw new StoreUnavailableError(`the store is busy: ${this.limit} calls wait`);
    }
    if (this.running < this.width) this.running++;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.waiting.shift();
      // The next task takes over this one's place.
      if (next !== undefined) next();
      else this.running--;
    }
  }
}
