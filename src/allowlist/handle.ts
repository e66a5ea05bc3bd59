/** Entries of one family and prefix length, as plain data for another thread. */
export interface SlotsHandle {
  readonly family: 4 | 6;
  /** Bits of the prefix. */
  readonly length: number;
  /** 32-bit words of a key: 1, 2 or 4. */
  readonly keyWords: 1 | 2 | 4;
  /** Slots; an even number. Two stand together: their keys, then their profile ids (u16). */
  readonly capacity: number;
  readonly memory: SharedArrayBuffer;
}

/**
 * What a reader needs, all of it plain data that structured clone carries to a worker. The prefix lengths
 * in use are part of it: a new length makes a new handle.
 */
export interface AllowlistHandle {
  /** Counts the handles of a table, from 1. */
  readonly generation: number;
  readonly seed: number;
  /** One 32-bit word: 1 when a newer handle was given out and this one is changed no more. */
  readonly control: SharedArrayBuffer;
  readonly tables: readonly SlotsHandle[];
}

export const CONTROL_BYTES = 4;
export const SUPERSEDED = 0;
