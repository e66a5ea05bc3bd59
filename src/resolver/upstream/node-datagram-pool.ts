import dgram from 'node:dgram';
import type { RandomSource } from '../random.ts';
import type { DatagramPool, DatagramPools, DatagramRemote } from './datagram-pool.ts';
import { type DatagramSocket, type DatagramSocketOwner, OpenFailure } from './datagram-socket.ts';
import { type DatagramPoolLimits, RandomPortPool } from './random-port-pool.ts';

export interface NodeDatagramPoolOptions extends DatagramRemote {
  readonly random: RandomSource;
  readonly now: () => number;
  readonly limits?: Partial<DatagramPoolLimits>;
}

/** Opening and closing one of these costs about 40 us. */
const DEFAULT_LIMITS: DatagramPoolLimits = Object.freeze({
  ownSocketsPerSecond: 1000,
  sharedSockets: 64,
  queriesPerSharedSocket: 1024,
  inFlightPerSocket: 256,
  sockets: 512,
  idleMs: 10_000,
  reservedSockets: 0,
});

/** A pool of node:dgram sockets, for platforms without the system calls of sys/. */
export function createNodeDatagramPool(options: NodeDatagramPoolOptions): DatagramPool {
  const { random, now, limits } = options;
  return new RandomPortPool({
    random,
    now,
    limits: { ...DEFAULT_LIMITS, ...limits },
    open: (owner) => NodeDatagramSocket.open(options, owner),
  });
}

/** Pools of such sockets share nothing. */
export const NODE_DATAGRAMS: DatagramPools = {
  createPool: (remote, random, now) => createNodeDatagramPool({ ...remote, random, now }),
  close: async () => {},
};

/** Passes the literal on at once: dns.lookup would take a turn of the event loop. */
const literalLookup = (
  address: string,
  family: number,
  callback: (error: Error | null, address: string, family: number) => void,
): void => callback(null, address, family);

/** Connected, so that the kernel drops datagrams of others and reports ICMP errors. */
class NodeDatagramSocket implements DatagramSocket {
  private readonly socket: dgram.Socket;

  private constructor(socket: dgram.Socket) {
    this.socket = socket;
  }

  static open(
    options: NodeDatagramPoolOptions,
    owner: DatagramSocketOwner,
  ): NodeDatagramSocket | OpenFailure {
    const { address, family, port } = options;
    const type = family === 4 ? 'udp4' : 'udp6';
    const socket = dgram.createSocket({ type, lookup: literalLookup as never });
    let remoteAddress = '';
    socket.on('message', (message, from) => {
      // Between bind and connect the kernel queues datagrams of anyone.
      if (from.port === port && from.address === remoteAddress) owner.received(message, message.length);
    });
    socket.on('error', () => owner.failed());
    try {
      socket.connect(port, address);
      remoteAddress = socket.remoteAddress().address;
    } catch {
      socket.close();
      return OpenFailure.NO_ROUTE;
    }
    socket.unref();
    return new NodeDatagramSocket(socket);
  }

  send(message: Uint8Array): void {
    this.socket.send(message);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.close(() => resolve());
    });
  }
}
