import type { SocketAddress } from '../../net/index.ts';
import type { RelayHandle } from '../context.ts';
import type { RelayCounters } from '../counters.ts';
import type { OriginResolver } from '../origin-resolver.ts';
import type { QuicMode } from './context.ts';

/** What the engines that carry QUIC take. */
export interface QuicEngineOptions {
  readonly addresses: readonly SocketAddress[];
  readonly mode: QuicMode;
  readonly share: Omit<RelayHandle, 'counters'>;
  readonly resolver: OriginResolver;
  makeCounters(): RelayCounters;
  /** The clock of the cache's entries, in ms. */
  now(): number;
  /** A thread ended by itself. */
  onFailure(error: Error): void;
}
