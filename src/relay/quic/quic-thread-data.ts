import type { RelayHandle } from '../relay-context.ts';
import type { QuicMode } from './quic-context.ts';

export interface QuicThreadData extends RelayHandle {
  readonly mode: QuicMode;
  /** Descriptors of listeners; each reports the local address of a datagram. */
  readonly listeners: readonly number[];
}
