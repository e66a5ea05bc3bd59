/**
 * How a control stands to its Redis; steps are tried in state 'up' only:
 * - unreachable: Redis does not answer, cannot do its work, or would lose changes at its next start (reason
 *   default-user-stripped);
 * - lost-data: Redis lacks data that was acknowledged, until `registry adopt`;
 * - newer-format: a newer release wrote the data in a format that this one does not read.
 */
export type StoreState = 'up' | 'unreachable' | 'lost-data' | 'newer-format';

/** Hears what an operator needs to know about a shared store. All arguments are constant words. */
export interface StoreEvents {
  state(state: StoreState, reason: string | null): void;
  /** A setting or right of Redis differs from what the store needs. */
  warning(code: WarningCode, expected: string): void;
}

export type WarningCode =
  | 'appendonly'
  | 'appendfsync'
  | 'maxmemory_policy'
  | 'slowlog'
  | 'config_not_readable'
  | 'default_user_not_checked'
  | 'aof_not_rewritten'
  | 'entries_differ'
  | 'housekeeping_failed';
