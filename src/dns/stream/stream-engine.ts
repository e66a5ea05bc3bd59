import type { SocketAddress, TlsIdentity } from '../../net/index.ts';
import type { TableUpdate } from '../table-update.ts';
import type { StreamKey } from './worker-data.ts';

/** Answers over streams, on threads of its own or on the caller's event loop. */
export interface StreamEngine {
  /** Bound addresses; port 0 is replaced by the actual port. */
  readonly addresses: Readonly<Record<StreamKey, readonly SocketAddress[]>>;
  /** Publishes new tables. Resolves once all threads have attached. */
  publish(update: TableUpdate): Promise<void>;
  /** Uses another certificate or other ticket keys for new connections. */
  useIdentity(identity: TlsIdentity): void;
  /** Stops accepting, for another process that accepts. Resolves then; `ended` when all connections have ended. */
  retire(): Promise<{ readonly ended: Promise<void> }>;
  /** Stops accepting. Resolves when every query has been answered. */
  stop(): Promise<void>;
  /** Closes all connections. */
  close(): Promise<void>;
}
