import type { RelayHandle } from '../relay-context.ts';

export interface RelayThreadData extends RelayHandle {
  /** Descriptors of listeners. */
  readonly listeners: readonly number[];
  /** This thread's part of the policy's connections. */
  readonly connections: number;
}
