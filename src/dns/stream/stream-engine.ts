import type { SocketAddress, TlsIdentity } from '../../net/index.ts';
import type { TableUpdate } from '../table-update.ts';
import type { StreamKey } from './worker-data.ts';

/** What answers over streams: threads of their own, or the event loop that started it. */
export interface StreamEngine {
  /** The addresses that are listened on, with the ports that the system chose for 0. */
  readonly addresses: Readonly<Record<StreamKey, readonly SocketAddress[]>>;
  /** Gives all threads new tables. Resolves when each works with them. */
  publish(update: TableUpdate): Promise<void>;
  /** Turns to another certificate or other ticket keys, for connections from now on. */
  useIdentity(identity: TlsIdentity): void;
  /** Accepts no more. Resolves when what was asked has been answered. */
  stop(): Promise<void>;
  /** Closes all connections. */
  close(): Promise<void>;
}
