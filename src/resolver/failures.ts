import { LRUCache } from 'lru-cache';
import type { ResolveFailure } from './request.ts';

interface RememberedFailure {
  readonly failure: ResolveFailure;
  /** Failures in a row. */
  readonly times: number;
  readonly untilMs: number;
  readonly forMs: number;
}

export interface FailureOptions {
  readonly now: () => number;
  readonly minMs: number;
  readonly maxMs: number;
  /** Questions remembered at most; the least recently asked is forgotten first. */
  readonly capacity: number;
}

/**
 * Remembers failed questions so that they are not tried again at once (RFC 9520 3.2): for minMs first, then
 * twice as long for each further failure, up to maxMs.
 */
export class FailureCache {
  private readonly entries: LRUCache<string, RememberedFailure>;
  private readonly options: FailureOptions;

  constructor(options: FailureOptions) {
    this.options = options;
    this.entries = new LRUCache({ max: options.capacity });
  }

  get size(): number {
    return this.entries.size;
  }

  /** The failure to answer with; undefined if the question may be tried. */
  find(key: string): ResolveFailure | undefined {
    const entry = this.entries.get(key);
    return entry !== undefined && this.options.now() < entry.untilMs ? entry.failure : undefined;
  }

  /** @returns until when it is remembered, in ms of the clock */
  record(key: string, failure: ResolveFailure): number {
    const { minMs, maxMs } = this.options;
    const nowMs = this.options.now();
    const before = this.entries.peek(key);
    // A failure that ended long ago says nothing about this one.
    const inARow = before !== undefined && nowMs < before.untilMs + Math.max(before.forMs, minMs * 10);
    const times = inARow ? before.times + 1 : 1;
    const forMs = Math.min(maxMs, minMs * 2 ** Math.min(times - 1, 30));
    const untilMs = nowMs + forMs;
    this.entries.set(key, { failure, times, forMs, untilMs });
    return untilMs;
  }

  clear(): void {
    this.entries.clear();
  }

  forget(key: string): void {
    if (this.entries.size > 0) this.entries.delete(key);
  }
}
