import type { Address } from '../../net/index.ts';
import type { RelayContext } from '../relay-context.ts';
import type { After } from '../timers.ts';
import type { ClientPath } from './client-path.ts';
import type { ConnectionTable } from './connection-table.ts';
import type { Datagram } from './datagram.ts';
import type { HeldBudget } from './held-datagrams.ts';
import type { OriginSocket, OriginUser } from './origin-socket.ts';

/** Carry QUIC, or refuse it at once so that clients fall back to TCP. */
export type QuicMode = 'carry' | 'refuse';

/** Services of the QUIC thread for its connections. */
export interface QuicContext {
  readonly relay: RelayContext;
  readonly mode: QuicMode;
  readonly table: ConnectionTable;
  readonly held: HeldBudget;
  /** The process is stopping: new connections are refused. */
  readonly isDraining: boolean;
  /** Time of this turn of the loop. */
  readonly nowMs: number;
  readonly after: After;
  /** Asks the main thread's resolver. @returns a function that cancels the request */
  resolve(name: Uint8Array, done: (addresses: readonly Address[] | null) => void): () => void;
  /**
   * Opens a socket to an origin.
   * @param from null: the kernel chooses
   * @returns null if that fails at once
   */
  open(address: Address, port: number, from: Address | null, user: OriginUser): OriginSocket | null;
  /** Return path to the sender of a datagram. */
  pathOf(datagram: Datagram): ClientPath;
}
