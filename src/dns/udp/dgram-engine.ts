import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { queryCounter, Transport } from '../../metrics/index.ts';
import { formatAddress, ListenError, type SocketAddress, sourceFromText } from '../../net/index.ts';
import type { Answerer } from '../answerer.ts';
import { QueryVerdict } from '../verdict.ts';
import type { UdpEngine } from './udp-engine.ts';
import { UDP_TRAITS } from './udp-traits.ts';

const RECEIVE_BUFFER_BYTES = 4 << 20;

export interface DgramEngineOptions {
  addresses: readonly SocketAddress[];
  answerer: Answerer;
}

/**
 * UDP by node:dgram, for platforms without the system calls of sys/. Answers on the event loop of its thread, one
 * packet at a time, at about a quarter of the rate. It cannot:
 * - answer from the address that was asked when bound to all addresses (IP_PKTINFO): bind each address by itself;
 * - set DF or ignore forged path MTUs (IP_MTU_DISCOVER): replies are small enough without;
 * - use several threads, or exceed the system's limit on receive buffers.
 */
export class DgramEngine implements UdpEngine {
  readonly name = 'dgram';
  readonly addresses: readonly SocketAddress[];
  /** Node does not expose their descriptors. */
  readonly sockets = [];
  private readonly opened: Socket[];
  private stopping = false;
  /** Replies being sent; closing the socket would lose them. */
  private sending = 0;
  private onSent: () => void = () => {};

  private constructor(sockets: Socket[], addresses: readonly SocketAddress[], answerer: Answerer) {
    this.opened = sockets;
    this.addresses = addresses;
    for (const socket of sockets) {
      socket.on('message', (query, peer) => this.take(socket, query, peer, answerer));
      // A failed send (a lost route) loses that packet only.
      socket.on('error', () => {});
    }
  }

  /** @throws ListenError, leaving nothing open */
  static async start(options: DgramEngineOptions): Promise<DgramEngine> {
    const sockets: Socket[] = [];
    const bound: SocketAddress[] = [];
    try {
      for (const address of options.addresses) {
        const socket = await open(address);
        sockets.push(socket);
        bound.push({ address: address.address, port: socket.address().port });
      }
    } catch (error) {
      for (const socket of sockets) socket.close();
      throw error;
    }
    return new DgramEngine(sockets, bound, options.answerer);
  }

  /** The event loop's own thread attaches to new tables by itself. */
  async publish(): Promise<void> {}

  async stop(): Promise<void> {
    this.stopping = true;
  }

  async close(): Promise<void> {
    const sockets = this.opened.splice(0);
    if (this.sending > 0) {
      await new Promise<void>((resolve) => {
        this.onSent = resolve;
      });
    }
    await Promise.all(
      sockets.map((socket) => new Promise<void>((resolve) => void socket.close(() => resolve()))),
    );
  }

  private take(socket: Socket, query: Uint8Array, peer: RemoteInfo, answerer: Answerer): void {
    if (this.stopping) return;
    const source = sourceFromText(peer.address);
    if (peer.port === 0 || source === null) {
      answerer.counters.increment(queryCounter(Transport.UDP, QueryVerdict.DROPPED));
      return;
    }
    answerer.answer(query, source, UDP_TRAITS, (reply) => {
      if (reply !== null && this.opened.length > 0) this.send(socket, reply, peer);
    });
  }

  private send(socket: Socket, reply: Uint8Array, peer: RemoteInfo): void {
    this.sending++;
    // Sending is asynchronous, and the reply is valid during this call only.
    socket.send(Uint8Array.from(reply), peer.port, peer.address, () => {
      if (--this.sending === 0) this.onSent();
    });
  }
}

async function open(address: SocketAddress): Promise<Socket> {
  const {
    fd,
    address: { family },
  } = address;
  const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', ipv6Only: family === 6 });
  // An inherited socket listens within the call.
  const listening = once(socket, 'listening');
  if (fd === undefined) {
    socket.bind({ address: formatAddress(address.address), port: address.port, exclusive: true });
  } else socket.bind({ fd, exclusive: true });
  try {
    await listening;
  } catch (error) {
    socket.close();
    throw new ListenError('dns.udp', address, (error as NodeJS.ErrnoException).code ?? 'unknown');
  }
  if (fd !== undefined) return socket;
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  } catch {
    // The system's limit is lower: keep its default.
  }
  return socket;
}
