import type { SocketAddress } from '../net/index.ts';
import type { RelayUpdate } from './relay-context.ts';

/** Accepts connections and carries them. */
export interface RelayEngine {
  readonly name: 'epoll' | 'streams';
  /** Bound addresses, with the ports that the kernel chose for 0. */
  readonly addresses: readonly SocketAddress[];
  /** Resolves once all threads use the update; the old tables may then be freed. */
  publish(update: RelayUpdate): Promise<void>;
  /** Stops accepting. Resolves when all open connections have ended. */
  drain(): Promise<void>;
  /** Ends all open connections. */
  close(): Promise<void>;
}
