import type { SocketAddress } from '../../net/index.ts';
import type { XdpStatistics } from '../../sys/xdp/index.ts';
import type { TableUpdate } from '../table-update.ts';
import type { ShieldSocket } from './shield/index.ts';

/** State of a network interface served by AF_XDP. */
export interface XdpStatus {
  readonly interface: string;
  /** Writer of packets into our memory: the network card, its driver, or the kernel behind the driver. */
  readonly mode: 'zero-copy' | 'driver' | 'generic';
  readonly queues: number;
  /** Packets that the kernel dropped on the way into and out of the rings. */
  readonly drops: () => XdpStatistics;
}

/**
 * Receives and answers over UDP: mmsg (threads with batched system calls), dgram (node:dgram), or af-xdp (threads
 * with the queues of a network interface).
 */
export interface UdpEngine {
  readonly name: 'mmsg' | 'dgram' | 'af-xdp';
  /** For af-xdp only. */
  readonly xdp?: XdpStatus;
  /** Listening addresses in configured order, with the ports that the system chose for 0. */
  readonly addresses: readonly SocketAddress[];
  /** Sockets that a filter can be attached to, until they are closed. */
  readonly sockets: readonly ShieldSocket[];
  /** Publishes new tables. Effective from each thread's next query; resolves once all have attached. */
  publish(update: TableUpdate): Promise<void>;
  /** Stops receiving; queries that were received are still answered. */
  stop(): Promise<void>;
  /** Closes the sockets: nothing is answered after that. */
  close(): Promise<void>;
}
