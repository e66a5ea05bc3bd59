/** Entries of one family and prefix length, as plain data to post to a thread. */
export interface SlotsHandle {
  readonly family: 4 | 6;
  /** Prefix length in bits. */
  readonly length: number;
  /** 32-bit words of a key. */
  readonly keyWords: 1 | 2 | 4;
  /** Slots, an even number. A pair of slots is stored as two keys and then two profile ids (u16). */
  readonly capacity: number;
  readonly memory: SharedArrayBuffer;
}

/**
 * Everything a reader needs, as plain data for structured clone. The prefix lengths in use are part of it: a
 * new length makes a new handle.
 */
export interface AllowlistHandle {
  /** Counts the handles of a table, from 1. */
  readonly generation: number;
  readonly seed: number;
  /** One 32-bit word: 1 once a newer handle replaced this one, which then no longer changes. */
  readonly control: SharedArrayBuffer;
  readonly tables: readonly SlotsHandle[];
}

export const CONTROL_BYTES = 4;
export const SUPERSEDED = 0;
