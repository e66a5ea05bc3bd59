/**
 * The state of a feed:
 * - disconnected: the store does not answer, or rejects this edge (WRONGPASS, CERT_HAS_EXPIRED);
 * - empty: the store has nothing of ours, and this edge has never held an allowlist;
 * - waiting: the store has an allowlist, but no snapshot of it yet;
 * - loading: a snapshot is loading, or will after a delay that spreads the load of many edges;
 * - following: changes are delivered as they happen;
 * - lost-data: the store lacks changes that this edge has seen: the allowlist is held until `registry adopt`;
 * - newer-format: a newer release wrote the store: the allowlist is held;
 * - corrupt: the snapshot is damaged: the allowlist is held.
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

/** Times are by the clock of RedisFeedOptions. */
export interface RedisFeedState {
  readonly phase: FeedPhase;
  /** A constant word; null where the phase needs no reason. */
  readonly reason: string | null;
  /** The store's last known change. */
  readonly headSeq: number;
  /** Changes of the store that are not delivered yet. */
  readonly lagChanges: number;
  /** Since when there are such changes; null: none. */
  readonly behindSinceMs: number | null;
  /** When everything of the store was last delivered; null: never. */
  readonly currentAtMs: number | null;
  /** When a control's heartbeat was last seen; null: never. */
  readonly heartbeatAtMs: number | null;
  /** Connections made so far. */
  readonly connections: number;
}
