import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import {
  type CounterBlock,
  connectionCounter,
  limitedConnectionCounter,
  openConnections,
  type Transport,
} from '../../metrics/index.ts';
import {
  type Address,
  contains,
  formatAddress,
  ListenError,
  type Prefix,
  peerAddress,
  type SocketAddress,
  type Source,
  sourceFromAddress,
} from '../../net/index.ts';
import type { ConnectionBudget, StreamLimits } from './connection-budget.ts';
import { readProxiedSource } from './proxied-source.ts';
import type { StreamKey } from './worker-data.ts';

/** Interval between searches for idle connections. */
const SWEEP_MS = 1000;
const BACKLOG = 1024;

/** The protocol on one connection. */
export interface StreamSession {
  /** Closes the connection if nothing has happened for `idleMs`. */
  closeIfIdle(nowMs: number, idleMs: number): void;
  /** Accepts no more queries; closes the connection when those in progress have been answered. */
  drain(): void;
}

export interface StreamServerOptions {
  readonly key: StreamKey;
  readonly transport: Transport;
  readonly addresses: readonly SocketAddress[];
  readonly limits: StreamLimits;
  readonly budget: ConnectionBudget;
  readonly counters: CounterBlock;
  /** Balancers whose PROXY header names the client. */
  readonly proxies: readonly Prefix[];
  /** True if other threads listen on the same addresses. */
  readonly reusePort: boolean;
  /** The monotonic clock, in ms. */
  now(): number;
  /** Decides before anything is read; a rejected connection is reset. */
  admits(source: Source): boolean;
  /**
   * Opens a session on a paused connection of which nothing has been read.
   * @param onLimit to call when a limit closes the connection
   */
  open(socket: Socket, source: Source, onLimit: () => void): StreamSession;
}

/** Accepts the connections of one transport, finds their source, applies the limits, and closes idle ones. */
export class StreamServer {
  private readonly servers: Server[] = [];
  private readonly sessions = new Map<Socket, StreamSession>();
  private readonly options: StreamServerOptions;
  private sweep: NodeJS.Timeout | null = null;
  /** Balancers' connections whose PROXY header has not arrived. */
  private readonly unnamed = new Set<Socket>();
  /** Bound addresses; port 0 is replaced by the actual port. */
  readonly addresses: SocketAddress[] = [];
  /** Called when the last connection closes. */
  onEmpty: () => void = () => {};

  private constructor(options: StreamServerOptions) {
    this.options = options;
  }

  /** @throws ListenError; nothing stays open then. */
  static async start(options: StreamServerOptions): Promise<StreamServer> {
    const server = new StreamServer(options);
    try {
      for (const address of options.addresses) await server.listen(address);
    } catch (error) {
      await server.close();
      throw error;
    }
    const idleMs = options.limits.idleSeconds * 1000;
    server.sweep = setInterval(() => {
      for (const session of server.sessions.values()) session.closeIfIdle(options.now(), idleMs);
    }, SWEEP_MS).unref();
    return server;
  }

  get openConnections(): number {
    return this.sessions.size;
  }

  /** Stops accepting; connections end when their queries have been answered. */
  stop(): void {
    for (const server of this.servers) server.close();
    for (const socket of this.unnamed) socket.destroy();
    for (const session of this.sessions.values()) session.drain();
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    if (this.sweep !== null) clearInterval(this.sweep);
    const closed = this.servers.map((server) => (server.listening ? once(server, 'close') : null));
    this.stop();
    for (const socket of this.sessions.keys()) socket.destroy();
    await Promise.all(closed);
  }

  private async listen(address: SocketAddress): Promise<void> {
    const { key, reusePort } = this.options;
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      this.identify(socket),
    );
    server.listen({
      host: formatAddress(address.address),
      port: address.port,
      ipv6Only: address.address.family === 6,
      backlog: BACKLOG,
      exclusive: true,
      ...(reusePort && { reusePort }),
    });
    try {
      await once(server, 'listening');
    } catch (error) {
      throw new ListenError(`dns.${key}`, address, (error as NodeJS.ErrnoException).code ?? 'unknown');
    }
    // Later errors concern one accept (no descriptors left, say): only that connection is lost.
    server.on('error', () => {});
    this.servers.push(server);
    this.addresses.push({ address: address.address, port: (server.address() as AddressInfo).port });
  }

  /** Finds the source: the peer, or the client that a balancer's PROXY header names. */
  private identify(socket: Socket): void {
    // Clients may hang up with a reset.
    socket.on('error', () => socket.destroy());
    const peer = peerAddress(socket.remoteAddress);
    if (peer === null) socket.destroy();
    else if (!this.isProxy(peer)) this.accept(socket, sourceFromAddress(peer));
    else {
      this.unnamed.add(socket);
      socket.on('close', () => this.unnamed.delete(socket));
      readProxiedSource(socket, (source) => {
        this.unnamed.delete(socket);
        // Without a client it is the balancer's own look whether we are there: it has seen that.
        if (source === null) socket.end();
        else this.accept(socket, sourceFromAddress(source.address));
      });
    }
  }

  private isProxy(peer: Address): boolean {
    const { proxies } = this.options;
    return proxies.length > 0 && proxies.some((prefix) => contains(prefix, peer));
  }

  private accept(socket: Socket, source: Source): void {
    const { transport, counters, budget, admits, open } = this.options;
    if (!admits(source)) {
      socket.resetAndDestroy();
      return;
    }
    const onLimit = (): void => counters.increment(limitedConnectionCounter(transport));
    if (!budget.take(source)) {
      onLimit();
      socket.destroy();
      return;
    }
    counters.increment(connectionCounter(transport));
    counters.add(openConnections(transport), 1);
    this.sessions.set(socket, open(socket, source, onLimit));
    socket.on('close', () => {
      this.sessions.delete(socket);
      budget.release(source);
      counters.add(openConnections(transport), -1);
      if (this.sessions.size === 0) this.onEmpty();
    });
  }
}
