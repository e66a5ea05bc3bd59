/** Clients and origins without QUIC of their own: they send a test's datagrams and keep what arrives. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

const sockets = new Set<Socket>();

/** A received datagram and its source port. */
export interface Arrival {
  readonly bytes: Buffer;
  readonly port: number;
}

/** A UDP socket and everything it received. */
export class Party {
  readonly arrivals: Arrival[] = [];
  readonly address: string;
  private readonly socket: Socket;
  private wake: () => void = () => {};

  private constructor(socket: Socket, address: string) {
    this.socket = socket;
    this.address = address;
    socket.on('message', (bytes, { port }) => {
      this.arrivals.push({ bytes, port });
      this.wake();
    });
  }

  static async on(address: string, port = 0): Promise<Party> {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    sockets.add(socket);
    socket.bind(port, address);
    await once(socket, 'listening');
    return new Party(socket, address);
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** Resolves when the datagram is in the receiver's queue: loopback delivers synchronously. */
  async send(bytes: Uint8Array, port: number, address = '127.0.0.1'): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.socket.send(bytes, port, address, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Waits for the `nth` datagram. */
  async arrival(nth: number): Promise<Arrival> {
    while (this.arrivals.length <= nth) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.arrivals[nth]!;
  }

  /** All datagrams so far, as text. */
  get texts(): string[] {
    return this.arrivals.map(({ bytes }) => bytes.toString('latin1'));
  }

  close(): void {
    if (sockets.delete(this.socket)) this.socket.close();
  }
}

export function closeParties(): void {
  for (const socket of sockets) socket.close();
  sockets.clear();
}
