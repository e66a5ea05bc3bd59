/**
 * How an edge stands to its store:
 * - disconnected: it does not answer, or turns this edge down (WRONGPASS, CERT_HAS_EXPIRED);
 * - empty: it answers, has nothing of ours, and this edge has never held a list of it;
 * - waiting: it has a list, but no snapshot of it yet;
 * - loading: a snapshot is on its way, or will be after a delay that spreads the load of many edges;
 * - following: the list is followed change by change;
 * - lost-data: it is without what this edge has seen of it: the list is held, until the operator's `registry adopt`;
 * - newer-format: another release wrote it, in a format that this one does not read: the list is held;
 * - corrupt: its snapshot is damaged: the list is held.
 */
export type FeedPhase =
  | 'disconnected'
  | 'empty'
  | 'waiting'
  | 'loading'
  | 'following'
  | 'lost-data'
  | 'newer-format'
  | 'corrupt';

/** Where a list stands in the log. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** Times are those of the clock that was handed in. */
export interface RedisFeedState {
  readonly phase: FeedPhase;
  /** Why, in a constant word; null where the phase says it all. */
  readonly reason: string | null;
  /** The store's last change, as far as it was heard of. */
  readonly headSeq: number;
  /** Changes that the store has and that were not given out yet. */
  readonly lagChanges: number;
  /** Since when there were any; null where there are none. */
  readonly behindSinceMs: number | null;
  /** When what was given out was last known to be all there is; null: never. */
  readonly currentAtMs: number | null;
  /** When a control was last seen to be there; null: never. */
  readonly heartbeatAtMs: number | null;
  /** How often the connection was made. */
  readonly connections: number;
}
