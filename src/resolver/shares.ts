/**
 * Bounds how many things under way one holder may have, so that none takes a shared resource away from others
 * (src/decisions/fair-shares.md). Holders without anything under way take no memory.
 */
export class Shares<K> {
  private readonly counts = new Map<K, number>();
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Counts one more. @returns false, without counting, at the limit */
  take(holder: K): boolean {
    const count = this.counts.get(holder) ?? 0;
    if (count >= this.limit) return false;
    this.counts.set(holder, count + 1);
    return true;
  }

  release(holder: K): void {
    const count = this.counts.get(holder) ?? 0;
    if (count > 1) this.counts.set(holder, count - 1);
    else this.counts.delete(holder);
  }
}
