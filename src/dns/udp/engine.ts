import type { SocketAddress } from '../../net/index.ts';
import type { TableUpdate } from '../table-update.ts';
import type { ShieldSocket } from './shield/index.ts';

/** What receives and answers over UDP: threads with batched system calls (mmsg), or node:dgram. */
export interface UdpEngine {
  readonly name: 'mmsg' | 'dgram';
  /** The addresses that are listened on, in the order asked for, with the ports that the system chose for 0. */
  readonly addresses: readonly SocketAddress[];
  /** Those that a filter can be put on, until they are closed. */
  readonly sockets: readonly ShieldSocket[];
  /** Gives all threads new tables. Resolves when each works with them; they do from the next query on at once. */
  publish(update: TableUpdate): Promise<void>;
  /** Takes no more queries; those that have been received are still answered. */
  stop(): Promise<void>;
  /** Closes the sockets; nothing is answered after that. */
  close(): Promise<void>;
}
