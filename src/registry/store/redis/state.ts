/** Where a store stood when a process last saw it: what a Redis that lost data is known by. */
export interface KnownPosition {
  readonly epoch: string;
  readonly seq: number;
}

/** Keeps the known position for the next start. */
export interface PositionKeeper {
  /** Null: this installation has never had a store. */
  readonly known: KnownPosition | null;
  keep(known: KnownPosition): void;
}

/**
 * How a control stands to its Redis; 'up' is the only state in which a step is tried:
 * - unreachable: it does not answer, or cannot do its work;
 * - lost-data: it is without what this control knows, or another control found it so: `registry adopt` ends it;
 * - newer-format: a newer release wrote it, in a way that this one does not read.
 */
export type StoreState = 'up' | 'unreachable' | 'lost-data' | 'newer-format';

/** Why data is lost: no store is there; it is another one; it lacks changes; another control found that it does. */
export type LostReason = 'empty' | 'epoch' | 'older' | 'found';

/** What is told to whoever runs this, in constant words. */
export interface StoreNews {
  state(state: StoreState, reason: string | null): void;
  /** A setting of Redis, or a right, that this job needs otherwise. */
  warning(code: WarningCode, expected: string): void;
}

export type WarningCode =
  | 'appendonly'
  | 'appendfsync'
  | 'maxmemory_policy'
  | 'slowlog'
  | 'config_not_readable'
  | 'aof_not_rewritten'
  | 'entries_differ'
  | 'chore_failed';
