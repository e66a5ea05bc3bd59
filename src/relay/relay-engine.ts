import type { SocketAddress } from '../net/index.ts';
import type { RelayUpdate } from './relay-context.ts';

/** Something that takes connections and carries them. */
export interface RelayEngine {
  readonly name: 'epoll' | 'streams';
  /** Where it listens, with the ports that the system chose for 0. */
  readonly addresses: readonly SocketAddress[];
  /** Resolves when the tables and rules are in use everywhere, and the old ones may be let go. */
  publish(update: RelayUpdate): Promise<void>;
  /** Takes no more connections. Resolves when all that are open have ended. */
  drain(): Promise<void>;
  /** Ends what is open. */
  close(): Promise<void>;
}
