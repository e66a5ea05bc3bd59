import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { parseAddress } from '../../src/net/index.ts';
import { closeSocket, openUdpSocket, type UdpSocketOptions } from '../../src/sys/index.ts';

const opened: number[] = [];
const peers: Socket[] = [];

/** A socket of sys/ on a free port of `address`; closeAll closes it. */
export function open(address: string, options: Partial<UdpSocketOptions> = {}): number {
  const { family, bytes } = parseAddress(address)!;
  const fd = openUdpSocket({
    family,
    address: bytes,
    port: 0,
    reusePort: false,
    receiveBufferBytes: 1 << 20,
    receiveTimeoutMs: 2000,
    packetInfo: false,
    ...options,
  });
  opened.push(fd);
  return fd;
}

/** A packet that a peer received. */
export interface Received {
  readonly text: string;
  readonly address: string;
  readonly port: number;
}

/** A node:dgram socket on a free port of `address` that records packets. */
export class Peer {
  readonly socket: Socket;
  readonly received: Received[] = [];
  private wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('message', (message, { address, port }) => {
      this.received.push({ text: message.toString('latin1'), address, port });
      this.wake();
    });
  }

  static async on(address: string): Promise<Peer> {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    peers.push(socket);
    socket.bind(0, address);
    await once(socket, 'listening');
    return new Peer(socket);
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** Resolves when the packet is in the receiver's queue: loopback delivers while it is sent. */
  send(message: string | Uint8Array, port: number, address: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.send(message, port, address, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Resolves when `count` packets have come. */
  async got(count: number): Promise<Received[]> {
    while (this.received.length < count) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.received;
  }
}

/** Closes all sockets of this module. */
export function closeAll(): void {
  for (const fd of opened.splice(0)) closeSocket(fd);
  for (const socket of peers.splice(0)) socket.close();
}
