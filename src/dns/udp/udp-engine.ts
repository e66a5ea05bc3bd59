import type { SocketAddress } from '../../net/index.ts';
import type { XdpStatistics } from '../../sys/xdp/index.ts';
import type { TableUpdate } from '../table-update.ts';
import type { ShieldSocket } from './shield/index.ts';

/** How a network interface is served by AF_XDP. */
export interface XdpStatus {
  readonly interface: string;
  /** The network card writes into our memory; its driver copies there; or the kernel does, behind the driver. */
  readonly mode: 'zero-copy' | 'driver' | 'generic';
  readonly queues: number;
  /** What the kernel dropped on the way into and out of the rings. */
  readonly drops: () => XdpStatistics;
}

/**
 * What receives and answers over UDP: threads with batched system calls (mmsg), node:dgram, or threads with the queues
 * of a network interface (af-xdp).
 */
export interface UdpEngine {
  readonly name: 'mmsg' | 'dgram' | 'af-xdp';
  /** Of af-xdp. */
  readonly xdp?: XdpStatus;
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
