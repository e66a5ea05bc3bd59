import type { RelayShare } from '../../context.ts';
import type { QuicMode } from '../context.ts';

export interface QuicThreadData extends RelayShare {
  readonly mode: QuicMode;
  /** Descriptors of listeners, each of which tells the address that was asked. */
  readonly listeners: readonly number[];
}
