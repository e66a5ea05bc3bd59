import type { RelayHandle } from '../relay-context.ts';
import type { QuicMode } from './quic-context.ts';

export interface QuicThreadData extends RelayHandle {
  readonly mode: QuicMode;
  /** Descriptors of listeners, each of which tells the address that was asked. */
  readonly listeners: readonly number[];
}
