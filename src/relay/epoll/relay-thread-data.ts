import type { RelayHandle } from '../relay-context.ts';

export interface RelayThreadData extends RelayHandle {
  /** Descriptors of listeners. */
  readonly listeners: readonly number[];
  /** This thread's share of the relay's connections. */
  readonly connections: number;
}
