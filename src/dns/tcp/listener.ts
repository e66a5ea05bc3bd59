import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import {
  connectionCounter,
  limitedConnectionCounter,
  openConnections,
  Transport,
} from '../../metrics/index.ts';
import { formatAddress, type SocketAddress } from '../../net/index.ts';
import type { Answerer } from '../answerer.ts';
import { ListenError } from '../listen-error.ts';
import type { TransportTraits } from '../query-state.ts';
import { type Source, sourceFromText } from '../source.ts';
import { StreamConnection } from './connection.ts';

export const TCP_TRAITS: TransportTraits = {
  transport: Transport.TCP,
  spoofable: false,
  maxReplyBytes: 65535,
};

/** How often idle connections are looked for. */
const SWEEP_MS = 1000;
const BACKLOG = 1024;

/** Limits of RFC 7766 6.2.2 and 6.2.3, against clients that only hold connections. */
export interface StreamLimits {
  /** Open connections in all. */
  connections: number;
  /** Open connections of one source: an IPv4 address or IPv6 /64. */
  connectionsPerSource: number;
  /** A connection without a query for this long is closed. */
  idleSeconds: number;
  /** A connection is closed when it has asked this many. */
  queriesPerConnection: number;
}

export interface TcpListenerOptions {
  addresses: readonly SocketAddress[];
  answerer: Answerer;
  limits: StreamLimits;
  /** The monotonic clock, in ms. */
  now(): number;
}

/** DNS over TCP on one or more addresses. */
export class TcpListener {
  private readonly servers: Server[] = [];
  private readonly connections = new Map<Socket, StreamConnection>();
  private readonly perSource = new Map<string, number>();
  private readonly options: TcpListenerOptions;
  private sweep: NodeJS.Timeout | null = null;
  /** The addresses that are listened on, with the ports that the system chose for 0. */
  readonly addresses: SocketAddress[] = [];

  private constructor(options: TcpListenerOptions) {
    this.options = options;
  }

  /** @throws ListenError; nothing stays open then. */
  static async start(options: TcpListenerOptions): Promise<TcpListener> {
    const listener = new TcpListener(options);
    try {
      for (const address of options.addresses) await listener.open(address);
    } catch (error) {
      await listener.close();
      throw error;
    }
    const idleMs = options.limits.idleSeconds * 1000;
    listener.sweep = setInterval(() => {
      for (const connection of listener.connections.values()) connection.closeIfIdle(options.now(), idleMs);
    }, SWEEP_MS).unref();
    return listener;
  }

  get openConnections(): number {
    return this.connections.size;
  }

  /** Accepts no more, and lets every connection end when what it has asked is answered. */
  stop(): void {
    for (const server of this.servers) server.close();
    for (const connection of this.connections.values()) connection.drain();
  }

  /** Closes what is still open. */
  async close(): Promise<void> {
    if (this.sweep !== null) clearInterval(this.sweep);
    const closed = this.servers.map((server) => (server.listening ? once(server, 'close') : null));
    this.stop();
    for (const socket of this.connections.keys()) socket.destroy();
    await Promise.all(closed);
  }

  private async open(address: SocketAddress): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.accept(socket));
    server.listen({
      host: formatAddress(address.address),
      port: address.port,
      ipv6Only: address.address.family === 6,
      backlog: BACKLOG,
    });
    try {
      await once(server, 'listening');
    } catch (error) {
      throw new ListenError('tcp', address, (error as NodeJS.ErrnoException).code ?? 'unknown');
    }
    // From here on an error is one of accepting (no descriptors left): that connection's loss.
    server.on('error', () => {});
    this.servers.push(server);
    this.addresses.push({ address: address.address, port: (server.address() as AddressInfo).port });
  }

  private accept(socket: Socket): void {
    const { answerer, limits, now } = this.options;
    const { counters } = answerer;
    const source = sourceFromText(socket.remoteAddress);
    if (source === null) {
      socket.destroy();
      return;
    }
    const key = sourceKey(source);
    const ofSource = this.perSource.get(key) ?? 0;
    if (this.connections.size >= limits.connections || ofSource >= limits.connectionsPerSource) {
      counters.increment(limitedConnectionCounter(Transport.TCP));
      socket.destroy();
      return;
    }
    const maxQueries = limits.queriesPerConnection;
    const connection = new StreamConnection(socket, {
      answerer,
      source,
      traits: TCP_TRAITS,
      maxQueries,
      now,
    });
    connection.onLimit = () => counters.increment(limitedConnectionCounter(Transport.TCP));
    this.connections.set(socket, connection);
    this.perSource.set(key, ofSource + 1);
    counters.increment(connectionCounter(Transport.TCP));
    counters.add(openConnections(Transport.TCP), 1);
    socket.on('close', () => this.forget(socket, key));
  }

  private forget(socket: Socket, key: string): void {
    this.connections.delete(socket);
    const left = (this.perSource.get(key) ?? 1) - 1;
    if (left > 0) this.perSource.set(key, left);
    else this.perSource.delete(key);
    this.options.answerer.counters.add(openConnections(Transport.TCP), -1);
  }
}

function sourceKey(source: Source): string {
  const { family, words } = source;
  return family === 4 ? String(words[0]) : `${words[0]}:${words[1]}`;
}
