import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Address } from './address.ts';
import { formatPrefix, registrationPrefix } from './prefix.ts';
import { peerAddress } from './source.ts';

export interface HttpLimitsOptions {
  /** Connections of all servers together. */
  readonly connections: number;
  /** Connections of one peer: an IPv4 address or an IPv6 /64. Trusted proxies are exempt. */
  readonly connectionsPerSource: number;
  /** True for proxies: many clients share their connections, which stay open for `proxyKeepAliveMs`. */
  isProxy(peer: Address): boolean;
}

/** Requests in flight on one connection at which reading stops. */
const PAUSE_AT = 8;
/** Requests in flight on one connection that close it: only a pipeline of unread replies gets there. */
const MAX_IN_FLIGHT = 64;
/** Proxies keep connections for 60 s: stay open longer, so that they never write to a closing one. */
const PROXY_KEEP_ALIVE_MS = 65_000;

interface Connection {
  readonly source: string;
  readonly isProxy: boolean;
  readonly inFlight: Set<IncomingMessage>;
}

/**
 * Shares the connections of HTTP servers fairly. At a limit, the connection that has waited longest for its client
 * (idle, or in the middle of a request) gives way to the new one; if all are being served, the new one is closed. A
 * pipeline is read only as fast as it is answered. Set each server's `keepAliveTimeout` for clients other than proxies.
 */
export class HttpLimits {
  private readonly options: HttpLimitsOptions;
  /** In the order of their last activity. */
  private readonly connections = new Map<Socket, Connection>();
  private readonly perSource = new Map<string, number>();

  constructor(options: HttpLimitsOptions) {
    this.options = options;
  }

  /** Applies the limits to a server and passes its requests to `serve`. */
  attach(server: Server, serve: (request: IncomingMessage, response: ServerResponse) => void): void {
    server.on('connection', (socket) => this.admit(socket));
    server.on('request', (request, response) => {
      if (this.begin(request, response)) serve(request, response);
    });
  }

  /** Counts a connection, once. @returns false if it was closed, because there are too many */
  admit(socket: Socket): boolean {
    if (this.connections.has(socket)) return true;
    const peer = peerAddress(socket.remoteAddress);
    if (peer === null) {
      socket.destroy();
      return false;
    }
    const source = formatPrefix(registrationPrefix(peer));
    const isProxy = this.options.isProxy(peer);
    if (!this.makeRoom(source, isProxy)) {
      socket.destroy();
      return false;
    }
    this.connections.set(socket, { source, isProxy, inFlight: new Set() });
    this.perSource.set(source, (this.perSource.get(source) ?? 0) + 1);
    socket.once('close', () => this.forget(socket));
    // Node resumes the socket after each request.
    socket.on('resume', () => this.pauseIfBusy(socket));
    return true;
  }

  /** Notes that an HTTP/2 connection has made a request: others have waited longer for their clients. */
  noteActivity(socket: Socket): void {
    const connection = this.connections.get(socket);
    if (connection !== undefined) this.touch(socket, connection);
  }

  private makeRoom(source: string, isProxy: boolean): boolean {
    const { connections, connectionsPerSource } = this.options;
    if (!isProxy && (this.perSource.get(source) ?? 0) >= connectionsPerSource) return this.evict(source);
    return this.connections.size < connections || this.evict(null);
  }

  /** Closes the connection that has waited longest for its client; of one source, or of any but proxies. */
  private evict(source: string | null): boolean {
    for (const [socket, connection] of this.connections) {
      if (source === null ? connection.isProxy : connection.source !== source) continue;
      if (![...connection.inFlight].every((request) => !request.complete)) continue;
      this.forget(socket);
      socket.destroy();
      return true;
    }
    return false;
  }

  private forget(socket: Socket): void {
    const connection = this.connections.get(socket);
    if (connection === undefined) return;
    this.connections.delete(socket);
    const count = this.perSource.get(connection.source)! - 1;
    if (count === 0) this.perSource.delete(connection.source);
    else this.perSource.set(connection.source, count);
  }

  /** Counts a request. Returns false if its connection is closed, because it has too many. */
  private begin(request: IncomingMessage, response: ServerResponse): boolean {
    const { socket } = request;
    const connection = this.connections.get(socket);
    // The parser goes on through what it has read after the socket is destroyed.
    if (connection === undefined || socket.destroyed) return false;
    this.touch(socket, connection);
    connection.inFlight.add(request);
    if (connection.inFlight.size > MAX_IN_FLIGHT) {
      socket.destroy();
      return false;
    }
    this.pauseIfBusy(socket);
    if (connection.isProxy) response.once('finish', () => socket.setTimeout(PROXY_KEEP_ALIVE_MS));
    response.once('close', () => {
      this.touch(socket, connection);
      connection.inFlight.delete(request);
      if (connection.inFlight.size === PAUSE_AT - 1 && !socket.destroyed) socket.resume();
    });
    return true;
  }

  private pauseIfBusy(socket: Socket): void {
    const inFlight = this.connections.get(socket)?.inFlight.size ?? 0;
    if (inFlight >= PAUSE_AT) socket.pause();
  }

  private touch(socket: Socket, connection: Connection): void {
    if (!this.connections.delete(socket)) return;
    this.connections.set(socket, connection);
  }
}
