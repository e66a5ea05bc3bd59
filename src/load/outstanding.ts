import type { Tallies } from './tallies.ts';

/** Number of message IDs. */
export const MAX_OUTSTANDING = 65_536;

/** No query is waiting with this ID. */
export const NOT_WAITING = -1;

/**
 * Outstanding queries of one connection or port, by message ID. IDs are assigned in a ring, so the oldest query
 * is at the tail and neither answers nor timeouts need a search. Allocates nothing after construction.
 */
export class Outstanding {
  /** By slot: due time, send time, source and category of the query. */
  readonly dueMs: Float64Array;
  readonly sources: Uint32Array;
  readonly categories: Uint8Array;
  private readonly sentMs: Float64Array;
  private readonly waiting: Uint8Array;
  private readonly ids: Uint16Array;
  private readonly mask: number;
  private head = 0;
  private tail = 0;

  /** @param capacity a power of 2, at most MAX_OUTSTANDING */
  constructor(capacity: number) {
    this.mask = capacity - 1;
    this.dueMs = new Float64Array(capacity);
    this.sentMs = new Float64Array(capacity);
    this.sources = new Uint32Array(capacity);
    this.categories = new Uint8Array(capacity);
    this.waiting = new Uint8Array(capacity);
    this.ids = new Uint16Array(capacity);
  }

  /** True if no query can still be answered; settled ones behind the tail may remain. */
  get isEmpty(): boolean {
    return this.head === this.tail;
  }

  /** Adds a query; if full, the oldest one counts as lost. @returns its message ID */
  add(dueMs: number, sentMs: number, source: number, category: number, tallies: Tallies): number {
    if (this.head - this.tail > this.mask) this.dropTail(tallies);
    const slot = this.head & this.mask;
    const id = this.head & (MAX_OUTSTANDING - 1);
    this.dueMs[slot] = dueMs;
    this.sentMs[slot] = sentMs;
    this.sources[slot] = source;
    this.categories[slot] = category;
    this.ids[slot] = id;
    this.waiting[slot] = 1;
    this.head++;
    return id;
  }

  /** @returns the slot of the query waiting with this ID, or NOT_WAITING */
  find(id: number): number {
    const slot = id & this.mask;
    return this.waiting[slot] === 1 && this.ids[slot] === id ? slot : NOT_WAITING;
  }

  /** Marks a query as answered. */
  settle(slot: number): void {
    this.waiting[slot] = 0;
  }

  /** Counts unanswered queries sent at or before `limitMs` as lost. */
  expire(limitMs: number, tallies: Tallies): void {
    while (this.tail < this.head) {
      const slot = this.tail & this.mask;
      if (this.waiting[slot] === 1 && this.sentMs[slot] > limitMs) return;
      this.dropTail(tallies);
    }
  }

  private dropTail(tallies: Tallies): void {
    const slot = this.tail & this.mask;
    if (this.waiting[slot] === 1) {
      tallies.lost(this.categories[slot]);
      this.waiting[slot] = 0;
    }
    this.tail++;
  }
}

/** Capacity for the queries of `timeoutMs` at `ratePerSecond`, doubled for bursts: a power of 2. */
export function outstandingCapacity(ratePerSecond: number, timeoutMs: number): number {
  const needed = Math.max(64, ((2 * ratePerSecond * timeoutMs) / 1000) | 0);
  return Math.min(MAX_OUTSTANDING, 2 ** Math.ceil(Math.log2(needed)));
}
