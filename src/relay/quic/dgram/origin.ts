import { createSocket, type Socket } from 'node:dgram';
import { type Address, formatAddress } from '../../../net/index.ts';
import type { OriginSocket, OriginUser } from '../context.ts';
import type { Datagram } from '../datagram.ts';

export interface OriginEndpoint {
  readonly address: Address;
  readonly port: number;
  /** null: the system chooses. */
  readonly from: Address | null;
}

/** A connected socket of node:dgram. */
export class DatagramOrigin implements OriginSocket {
  private readonly socket: Socket;
  private readonly user: OriginUser;
  /** What is to be sent before the socket is connected; null from then on. */
  private early: Uint8Array[] | null = [];
  private hasAnswered = false;
  private isClosed = false;
  private isResting = false;

  constructor({ address, port, from }: OriginEndpoint, user: OriginUser) {
    const socket = createSocket(address.family === 4 ? 'udp4' : 'udp6');
    this.socket = socket;
    this.user = user;
    socket.on('error', () => this.fail());
    socket.on('message', (bytes) => this.carry(bytes));
    const connect = (): void => {
      if (!this.isClosed)
        socket.connect(port, formatAddress(address), (error?: Error) => this.connected(error));
    };
    if (from === null) connect();
    else socket.bind({ address: formatAddress(from), exclusive: true }, connect);
  }

  send(datagram: Datagram): void {
    // The socket may send it after this turn.
    this.replay(this.early === null ? datagram.bytes.subarray(0, datagram.length) : datagram.copy());
  }

  replay(datagram: Uint8Array): void {
    if (this.isClosed) return;
    if (this.early !== null) this.early.push(datagram);
    else this.socket.send(datagram, (error) => error && this.fail());
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.socket.close();
  }

  private connected(error: Error | undefined): void {
    if (this.isClosed) return;
    if (error !== undefined) {
      this.fail();
      return;
    }
    const early = this.early ?? [];
    this.early = null;
    for (const datagram of early) this.replay(datagram);
  }

  /** Behind an answer errors are not believed (RFC 9000, 14.2.1): anyone can forge them. */
  private fail(): void {
    if (!this.hasAnswered && !this.isClosed) this.user.failed();
  }

  private carry(bytes: Buffer): void {
    const { user } = this;
    // node:dgram cannot be told to read nothing: what comes meanwhile is dropped, which slows the origin down as well.
    if (this.isClosed || (this.isResting && user.mustRest())) return;
    if (!this.hasAnswered) {
      this.hasAnswered = true;
      user.answered();
    }
    user.received(bytes, bytes.length);
    user.path.send(bytes);
    this.isResting = user.mustRest();
  }
}
