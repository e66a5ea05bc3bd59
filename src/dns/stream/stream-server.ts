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
  type Prefix,
  peerAddress,
  type SocketAddress,
  type Source,
  sourceFromAddress,
} from '../../net/index.ts';
import { ListenError, type ListenKey } from '../listen-error.ts';
import type { ConnectionBudget, StreamLimits } from './connection-budget.ts';
import { readProxiedSource } from './proxied-source.ts';

/** How often idle connections are looked for. */
const SWEEP_MS = 1000;
const BACKLOG = 1024;

/** What was made of a connection. */
export interface StreamSession {
  /** Closes the connection if it has done nothing for `idleMs`. */
  closeIfIdle(nowMs: number, idleMs: number): void;
  /** Takes no more queries; ends when what is under way has been answered. */
  drain(): void;
}

export interface StreamServerOptions {
  readonly key: ListenKey;
  readonly transport: Transport;
  readonly addresses: readonly SocketAddress[];
  readonly limits: StreamLimits;
  readonly budget: ConnectionBudget;
  readonly counters: CounterBlock;
  /** Balancers whose PROXY header names the client. */
  readonly proxies: readonly Prefix[];
  /** Whether other threads listen on the same addresses. */
  readonly reusePort: boolean;
  /** The monotonic clock, in ms. */
  now(): number;
  /** Whether a source is heard at all; asked before anything that it sends is read. */
  admits(source: Source): boolean;
  /**
   * Takes a connection that nothing has been read of; it is paused.
   * @param onLimit to be called when one of the limits on a connection closes it
   */
  open(socket: Socket, source: Source, onLimit: () => void): StreamSession;
}

/** Accepts the connections of one transport: whose they are, whether they are taken, and when they have idled too long. */
export class StreamServer {
  private readonly servers: Server[] = [];
  private readonly sessions = new Map<Socket, StreamSession>();
  private readonly options: StreamServerOptions;
  private sweep: NodeJS.Timeout | null = null;
  /** Connections of balancers whose header has not come yet. */
  private readonly unnamed = new Set<Socket>();
  /** The addresses that are listened on, with the ports that the system chose for 0. */
  readonly addresses: SocketAddress[] = [];
  /** Called when the last connection has closed. */
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

  /** Accepts no more, and lets every connection end when what it has asked is answered. */
  stop(): void {
    for (const server of this.servers) server.close();
    for (const socket of this.unnamed) socket.destroy();
    for (const session of this.sessions.values()) session.drain();
  }

  /** Closes what is still open. */
  async close(): Promise<void> {
    if (this.sweep !== null) clearInterval(this.sweep);
    const closed = this.servers.map((server) => (server.listening ? once(server, 'close') : null));
    this.stop();
    for (const socket of this.sessions.keys()) socket.destroy();
    await Promise.all(closed);
  }

  private async listen(address: SocketAddress): Promise<void> {
    const { key, reusePort } = this.options;
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => this.name(socket));
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
      throw new ListenError(key, address, (error as NodeJS.ErrnoException).code ?? 'unknown');
    }
    // From here on an error is one of accepting (no descriptors left): that connection's loss.
    server.on('error', () => {});
    this.servers.push(server);
    this.addresses.push({ address: address.address, port: (server.address() as AddressInfo).port });
  }

  /** Finds out whose connection it is: its peer's, or that of the client whom a balancer names. */
  private name(socket: Socket): void {
    // A reset is the client's way to hang up.
    socket.on('error', () => socket.destroy());
    const peer = peerAddress(socket.remoteAddress);
    if (peer === null) socket.destroy();
    else if (!this.isProxy(peer)) this.take(socket, sourceFromAddress(peer));
    else {
      this.unnamed.add(socket);
      socket.on('close', () => this.unnamed.delete(socket));
      readProxiedSource(socket, (source) => {
        this.unnamed.delete(socket);
        // Without a client it is the balancer's own look whether we are there: it has seen that.
        if (source === null) socket.end();
        else this.take(socket, sourceFromAddress(source.address));
      });
    }
  }

  private isProxy(peer: Address): boolean {
    const { proxies } = this.options;
    return proxies.length > 0 && proxies.some((prefix) => contains(prefix, peer));
  }

  private take(socket: Socket, source: Source): void {
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
