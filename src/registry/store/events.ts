/**
 * The state of a control's store:
 * - unreachable: the store cannot do its work. The reason is a Redis code, default-user-stripped (Redis would lose
 *   changes at its next start), or what is wrong with the SQLite file, such as disk-full;
 * - lost-data: Redis lacks data that was acknowledged, until `registry adopt`;
 * - newer-format: a newer release wrote the data in a format that this one does not read.
 */
export type StoreState = 'up' | 'unreachable' | 'lost-data' | 'newer-format';

/** Hears what an operator needs to know about the store. Arguments never hold values of users. */
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
