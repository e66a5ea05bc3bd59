import { DEFERRED_HEADER_BYTES } from '../../deferred-record.ts';

/** Clients of one thread that may wait for upstreams. */
export const MAX_WAITERS = 8192;
const STRIDE = 512;
/** Longer queries go to the resolver. */
export const MAX_WAITING_QUERY_BYTES = STRIDE - DEFERRED_HEADER_BYTES;
/** Counters of questions under way by source prefix. */
const SOURCE_CELLS = 4096;
const NONE = -1;

/** Waiting clients, each as a deferred record: what is handed to the resolver is copied as it is. */
export class WaiterTable {
  readonly bytes = new Uint8Array(MAX_WAITERS * STRIDE);
  readonly view = new DataView(this.bytes.buffer);
  /** Bytes of the query behind the record's header. */
  readonly queryLengths = new Uint16Array(MAX_WAITERS);
  /** Those of one question are chained. */
  readonly next = new Int16Array(MAX_WAITERS);
  private readonly cells = new Uint16Array(MAX_WAITERS);
  private readonly perCell = new Uint16Array(SOURCE_CELLS);
  private readonly free = new Int16Array(MAX_WAITERS);
  private count = 0;

  constructor() {
    for (let w = 0; w < MAX_WAITERS; w++) this.free[w] = MAX_WAITERS - 1 - w;
  }

  get isFull(): boolean {
    return this.count === MAX_WAITERS;
  }

  offset(w: number): number {
    return w * STRIDE;
  }

  /** Clients of this source's prefix that wait. @param hash of the prefix */
  waiting(hash: number): number {
    return this.perCell[hash & (SOURCE_CELLS - 1)];
  }

  /** Takes a slot before `next`; the caller writes the record. @param hash of the source's prefix */
  add(queryLength: number, hash: number, next: number): number {
    const w = this.free[MAX_WAITERS - 1 - this.count++];
    const cell = hash & (SOURCE_CELLS - 1);
    this.cells[w] = cell;
    this.perCell[cell]++;
    this.queryLengths[w] = queryLength;
    this.next[w] = next;
    return w;
  }

  /** Frees a slot and clears its record. @returns the next of its question, or -1 */
  remove(w: number): number {
    const at = this.offset(w);
    this.bytes.fill(0, at, at + DEFERRED_HEADER_BYTES + this.queryLengths[w]);
    this.perCell[this.cells[w]]--;
    this.free[MAX_WAITERS - this.count--] = w;
    const next = this.next[w];
    this.next[w] = NONE;
    return next;
  }
}
