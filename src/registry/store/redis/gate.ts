import { StoreUnavailableError } from '../../errors.ts';

/** Lets so many in at a time; the others wait in their order, and past a limit are turned away. */
export class Gate {
  private readonly width: number;
  private readonly limit: number;
  private readonly waiting: (() => void)[] = [];
  private inside = 0;

  constructor(options: { width: number; limit: number }) {
    this.width = options.width;
    this.limit = options.limit;
  }

  /** Those inside and those who wait. */
  get size(): number {
    return this.inside + this.waiting.length;
  }

  /** @throws StoreUnavailable where too many wait; what `work` throws. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.size >= this.limit)
      throw new StoreUnavailableError(`${this.limit} calls wait for the store already`);
    if (this.inside < this.width) this.inside++;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      // Who is next takes this one's place.
      if (next !== undefined) next();
      else this.inside--;
    }
  }
}
