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
  ListenError,
  listenOptions,
  type Prefix,
  peerAddress,
  type SocketAddress,
  type Source,
  sourceFromAddress,
} from '../../net/index.ts';
import { Claim, type ConnectionBudget, type StreamLimits } from './connection-budget.ts';
import { readProxiedSource } from './proxied-source.ts';
import type { StreamKey } from './worker-data.ts';

/** Interval between searches for idle connections. */
const SWEEP_MS = 1000;
/** Idle time of connections once another process accepts the new ones ... */
const RETIRED_IDLE_MS = 2000;
/** ... and of those that have never been idle for so long in half a minute: between two queries, most likely. */
const BUSY_AFTER_MS = 30_000;
const BUSY_IDLE_MS = 200;
const BACKLOG = 1024;

/** The protocol on one connection. */
export interface StreamSession {
  /** Time of the last query or of the last reply that the client took, in ms. */
  readonly activeAtMs: number;
  /** True while a query waits for its answer. */
  readonly isBusy: boolean;
  /** Closes the connection if nothing has happened for `idleMs`. */
  closeIfIdle(nowMs: number, idleMs: number): void;
  /** Accepts no more queries; closes the connection when those in progress have been answered. */
  drain(): void;
}

/** The standing of a source when it connects. */
export const Admission = {
  /** Reset at once. */
  REJECTED: 0,
  /** Admitted within the strangers' pool. */
  STRANGER: 1,
  REGISTERED: 2,
} as const;
export type Admission = (typeof Admission)[keyof typeof Admission];

/** Strangers ask for a few bootstrap names or are refused: short idle time, few queries. */
const STRANGER_IDLE_MS = 2000;
const STRANGER_QUERIES = 16;

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
  /** Decides before anything is read. */
  admit(source: Source): Admission;
  /**
   * Opens a session on a paused connection of which nothing has been read.
   * @param maxQueries queries that this connection may ask
   * @param onLimit to call when a limit closes the connection
   * @param promote to call when a stranger has become registered: takes it out of the strangers' pool
   */
  open(
    socket: Socket,
    source: Source,
    maxQueries: number,
    onLimit: () => void,
    promote: () => boolean,
  ): StreamSession;
}

interface Connection {
  readonly socket: Socket;
  readonly source: Source;
  isStranger: boolean;
  readonly session: StreamSession;
  isReleased: boolean;
}

/** Accepts the connections of one transport, finds their source, applies the limits, and closes idle ones. */
export class StreamServer {
  private readonly servers: Server[] = [];
  private readonly connections = new Set<Connection>();
  private readonly options: StreamServerOptions;
  private sweep: NodeJS.Timeout | null = null;
  private retiredAtMs = Number.POSITIVE_INFINITY;
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
    server.sweep = setInterval(() => server.closeIdle(), SWEEP_MS).unref();
    return server;
  }

  get openConnections(): number {
    return this.connections.size;
  }

  /** Stops accepting; open connections are served until they have been idle for 2 s. */
  retire(): void {
    for (const server of this.servers) server.close();
    this.retiredAtMs = this.options.now();
  }

  /** Stops accepting; connections end when their queries have been answered. */
  stop(): void {
    for (const server of this.servers) server.close();
    for (const socket of this.unnamed) socket.destroy();
    for (const { session } of this.connections) session.drain();
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    if (this.sweep !== null) clearInterval(this.sweep);
    const closed = this.servers.map((server) => (server.listening ? once(server, 'close') : null));
    this.stop();
    for (const { socket } of this.connections) socket.destroy();
    await Promise.all(closed);
  }

  private async listen(address: SocketAddress): Promise<void> {
    const { key, reusePort } = this.options;
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      this.identify(socket),
    );
    const own = address.fd === undefined && { exclusive: true, ...(reusePort && { reusePort }) };
    server.listen({ ...listenOptions(address), backlog: BACKLOG, ...own });
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
    else if (!this.isProxy(peer)) this.accept(socket, sourceFromAddress(peer), false);
    else {
      this.unnamed.add(socket);
      socket.on('close', () => this.unnamed.delete(socket));
      readProxiedSource(socket, (source) => {
        this.unnamed.delete(socket);
        // A header without a client is the balancer's own health check: its real address counts (PROXY protocol, 2.2).
        const isHealthCheck = source === null;
        this.accept(socket, sourceFromAddress(isHealthCheck ? peer : source.address), isHealthCheck);
      });
    }
  }

  private isProxy(peer: Address): boolean {
    const { proxies } = this.options;
    return proxies.length > 0 && proxies.some((prefix) => contains(prefix, peer));
  }

  /** @param isHealthCheck a balancer that we trust connects for itself: admitted, although it may be unregistered */
  private accept(socket: Socket, source: Source, isHealthCheck: boolean): void {
    const { transport, counters, limits, admit, open } = this.options;
    const admission = admit(source);
    if (admission === Admission.REJECTED && !isHealthCheck) {
      socket.resetAndDestroy();
      return;
    }
    const isStranger = admission !== Admission.REGISTERED;
    const onLimit = (): void => counters.increment(limitedConnectionCounter(transport));
    if (!this.claim(source, isStranger)) {
      onLimit();
      socket.destroy();
      return;
    }
    counters.increment(connectionCounter(transport));
    counters.add(openConnections(transport), 1);
    const queries = limits.queriesPerConnection;
    const maxQueries = isStranger ? Math.min(queries, STRANGER_QUERIES) : queries;
    const promote = (): boolean => this.promote(connection);
    const session = open(socket, source, maxQueries, onLimit, promote);
    const connection: Connection = { socket, source, isStranger, session, isReleased: false };
    this.connections.add(connection);
    socket.on('close', () => {
      this.release(connection);
      this.connections.delete(connection);
      counters.add(openConnections(transport), -1);
      if (this.connections.size === 0) this.onEmpty();
    });
  }

  /**
   * Claims a connection from the budget. If it is exhausted, another connection of this thread gives way (RFC 7766
   * 6.2.3): for a stranger the stranger that has been idle longest, of its own prefix if that has its share; for a
   * registered source a stranger, then a connection of the source that has most.
   * @returns false if none can
   */
  private claim(source: Source, isStranger: boolean): boolean {
    const { budget } = this.options;
    const claim = budget.claim(source, isStranger);
    if (claim === Claim.GRANTED) return true;
    if (claim === Claim.CROWDED) {
      // If all strangers are on other threads, their sweeps make room.
      this.evict(this.findStranger(-1));
      return true;
    }
    let victim: Connection | null = null;
    if (claim === Claim.STRANGERS_FULL) victim = this.findStranger(-1);
    else if (claim === Claim.TOTAL_FULL) victim = this.findHeaviest(budget.countOf(source, false));
    else if (isStranger) victim = this.findStranger(budget.cellOf(source, true));
    if (victim === null) return false;
    this.evict(victim);
    const retried = budget.claim(source, isStranger);
    return retried === Claim.GRANTED || retried === Claim.CROWDED;
  }

  /** Finds the stranger that has been idle longest. @param cell counts only strangers of this budget cell; -1: all */
  private findStranger(cell: number): Connection | null {
    const { budget } = this.options;
    let found: Connection | null = null;
    for (const connection of this.connections) {
      const { source, isStranger, session, isReleased } = connection;
      if (!isStranger || isReleased || session.isBusy) continue;
      if (cell >= 0 && budget.cellOf(source, true) !== cell) continue;
      if (found === null || session.activeAtMs < found.session.activeAtMs) found = connection;
    }
    return found;
  }

  /** Finds the least active connection of the registered source with most, if it has over `count` + 1. */
  private findHeaviest(count: number): Connection | null {
    const { budget } = this.options;
    let found: Connection | null = null;
    let most = count + 1;
    for (const connection of this.connections) {
      const { source, isStranger, session, isReleased } = connection;
      if (isStranger || isReleased) continue;
      const weight = budget.countOf(source, false);
      const isOlder = found !== null && session.activeAtMs < found.session.activeAtMs;
      if (weight < most || (weight === most && !isOlder)) continue;
      most = weight;
      found = connection;
    }
    return found;
  }

  private evict(connection: Connection | null): void {
    if (connection === null) return;
    const { counters, transport } = this.options;
    counters.increment(limitedConnectionCounter(transport));
    this.release(connection);
    connection.socket.destroy();
  }

  /** Moves a stranger's connection to the share of its source, which is registered now. @returns false if that is full */
  private promote(connection: Connection): boolean {
    const { source } = connection;
    if (!connection.isStranger || connection.isReleased) return false;
    const claim = this.options.budget.claim(source, false);
    if (claim !== Claim.GRANTED && claim !== Claim.CROWDED) return false;
    this.options.budget.release(source, true);
    connection.isStranger = false;
    return true;
  }

  private release(connection: Connection): void {
    if (connection.isReleased) return;
    connection.isReleased = true;
    this.options.budget.release(connection.source, connection.isStranger);
  }

  private retiredIdleMs(nowMs: number): number {
    const sinceMs = nowMs - this.retiredAtMs;
    if (sinceMs < 0) return Number.POSITIVE_INFINITY;
    return sinceMs < BUSY_AFTER_MS ? RETIRED_IDLE_MS : BUSY_IDLE_MS;
  }

  private closeIdle(): void {
    const { limits, budget, now } = this.options;
    const nowMs = now();
    const idleMs = Math.min(limits.idleSeconds * 1000, this.retiredIdleMs(nowMs));
    for (const { session, isStranger } of this.connections) {
      session.closeIfIdle(nowMs, isStranger ? Math.min(idleMs, STRANGER_IDLE_MS) : idleMs);
    }
    while (budget.isCrowded) {
      const stranger = this.findStranger(-1);
      if (stranger === null) return;
      this.evict(stranger);
    }
  }
}
