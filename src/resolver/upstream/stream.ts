import type { Duplex } from 'node:stream';
import { HEADER_BYTES, id, LENGTH_BYTES, StreamFramer, setId, writeU16 } from '../../wire/index.ts';
import type { UpstreamQuery } from '../query.ts';
import type { RandomSource } from '../random.ts';
import type { Exchange, ReplyListener, Upstream, UpstreamError } from './upstream.ts';

/** The part of a node:net or node:tls socket that the pool needs. */
export interface StreamSocket extends Duplex {
  setTimeout(timeoutMs: number, callback?: () => void): unknown;
  unref(): unknown;
}

export interface StreamUpstreamOptions {
  readonly isEncrypted: boolean;
  /** Starts connecting; data written before the connection is up is sent then. */
  readonly connect: () => StreamSocket;
  readonly random: RandomSource;
  readonly now: () => number;
  /** Silence after a query after which a connection gets no more queries. */
  readonly stallMs: number;
  /** Idle time after which a connection is closed (RFC 7766 6.2.3). */
  readonly idleMs: number;
  /** Counts an ignored message. */
  readonly onIgnored: () => void;
}

/** Options that all stream transports have in common. */
export type StreamParts = Omit<StreamUpstreamOptions, 'connect' | 'isEncrypted'>;

const MAX_CONNECTIONS = 8;
const MAX_IN_FLIGHT_PER_CONNECTION = 2048;
/** Queries on each connection at which another one is opened. */
const CROWDED = 32;
/** Messages without a waiting query after which a connection is closed. */
const MAX_IGNORED_PER_CONNECTION = 1000;

/**
 * DNS over shared connections that stay open. Queries are sent without waiting for replies, which come in any
 * order (RFC 7766 6.2.1). A query on a connection that the server closes is sent once more, on a fresh one.
 */
export class StreamUpstream implements Upstream {
  readonly mayBeSpoofed = false;
  readonly isEncrypted: boolean;
  private readonly options: StreamUpstreamOptions;
  private readonly connections = new Set<StreamConnection>();
  private closed = false;

  constructor(options: StreamUpstreamOptions) {
    this.options = options;
    this.isEncrypted = options.isEncrypted;
  }

  /** Open connections, including those being opened. */
  get openConnections(): number {
    return this.connections.size;
  }

  ask(query: UpstreamQuery, listener: ReplyListener): Exchange | null {
    if (this.closed) return null;
    const exchange = new StreamExchange(query, listener);
    return this.place(exchange) ? exchange : null;
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.connections].map((connection) => connection.close()));
  }

  private place(exchange: StreamExchange): boolean {
    let best: StreamConnection | undefined;
    let serving = 0;
    const nowMs = this.options.now();
    for (const connection of this.connections) {
      connection.retireIfStalled(nowMs);
      if (connection.retired) continue;
      serving++;
      if (best === undefined || connection.inFlight < best.inFlight) best = connection;
    }
    if (best === undefined || (best.inFlight >= CROWDED && serving < MAX_CONNECTIONS)) {
      best = this.open() ?? best;
    }
    if (best === undefined || best.inFlight >= MAX_IN_FLIGHT_PER_CONNECTION) return false;
    best.send(exchange);
    return true;
  }

  private open(): StreamConnection | null {
    // Twice as many, to include retired ones that wait for a last reply.
    if (this.connections.size >= 2 * MAX_CONNECTIONS) return null;
    const connection = new StreamConnection(this.options, (lost, error) => {
      this.connections.delete(connection);
      for (const exchange of lost) this.recover(exchange, connection.replies > 0, error);
    });
    this.connections.add(connection);
    return connection;
  }

  /** @param progressed true if the connection brought replies: some servers close after each */
  private recover(exchange: StreamExchange, progressed: boolean, error: UpstreamError): void {
    if (!this.closed && (progressed || exchange.mayMove)) {
      exchange.mayMove = progressed;
      if (this.place(exchange)) return;
    }
    exchange.listener.failed(error);
  }
}

class StreamExchange implements Exchange {
  readonly query: UpstreamQuery;
  readonly listener: ReplyListener;
  connection: StreamConnection | null = null;
  messageId = 0;
  /** True if the query may be sent once more when its connection ends, which it may not on a fresh one. */
  mayMove = true;

  constructor(query: UpstreamQuery, listener: ReplyListener) {
    this.query = query;
    this.listener = listener;
  }

  cancel(): void {
    this.connection?.abandon(this);
    this.connection = null;
  }
}

class StreamConnection {
  /** Takes no more queries, and closes after the last reply. */
  retired = false;
  replies = 0;
  private readonly socket: StreamSocket;
  private readonly options: StreamUpstreamOptions;
  private readonly exchanges = new Map<number, StreamExchange>();
  private readonly framer = new StreamFramer();
  private readonly ended: Promise<void>;
  /** Time since which a query waits and nothing was read. */
  private silentSinceMs = Number.POSITIVE_INFINITY;
  private sent = 0;
  private ignored = 0;
  private refused = false;

  constructor(options: StreamUpstreamOptions, onEnd: (lost: StreamExchange[], error: UpstreamError) => void) {
    this.options = options;
    const socket = options.connect();
    this.socket = socket;
    socket.unref();
    socket.setTimeout(options.idleMs, () => socket.destroy());
    socket.on('data', (chunk: Uint8Array) => this.read(chunk));
    socket.on('end', () => socket.destroy());
    socket.on('error', () => {
      this.refused = true;
    });
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        this.retired = true;
        const lost = [...this.exchanges.values()];
        this.exchanges.clear();
        onEnd(lost, this.refused ? 'unreachable' : 'closed');
        resolve();
      });
    });
  }

  get inFlight(): number {
    return this.exchanges.size;
  }

  send(exchange: StreamExchange): void {
    let messageId = this.options.random.u16();
    while (this.exchanges.has(messageId)) messageId = this.options.random.u16();
    const { bytes } = exchange.query;
    const frame = new Uint8Array(LENGTH_BYTES + bytes.length);
    writeU16(frame, 0, bytes.length);
    frame.set(bytes, LENGTH_BYTES);
    setId(frame.subarray(LENGTH_BYTES), messageId);
    if (this.sent === 0) exchange.mayMove = false;
    this.sent++;
    exchange.connection = this;
    exchange.messageId = messageId;
    if (this.silentSinceMs === Number.POSITIVE_INFINITY) this.silentSinceMs = this.options.now();
    this.exchanges.set(messageId, exchange);
    this.socket.write(frame);
  }

  /** Drops an exchange whose reply nobody awaits any longer. */
  abandon(exchange: StreamExchange): void {
    if (this.exchanges.get(exchange.messageId) !== exchange) return;
    this.exchanges.delete(exchange.messageId);
    this.closeIfDone();
  }

  /** Finds connections whose path died silently; replies may still arrive on them. */
  retireIfStalled(nowMs: number): void {
    if (nowMs - this.silentSinceMs < this.options.stallMs) return;
    this.retired = true;
    this.closeIfDone();
  }

  close(): Promise<void> {
    this.exchanges.clear();
    this.socket.destroy();
    return this.ended;
  }

  private closeIfDone(): void {
    if (this.retired && this.exchanges.size === 0) this.socket.destroy();
  }

  private read(chunk: Uint8Array): void {
    this.framer.push(chunk, (message) => this.received(message));
    this.silentSinceMs = this.exchanges.size > 0 ? this.options.now() : Number.POSITIVE_INFINITY;
  }

  private received(message: Uint8Array): void {
    const exchange = message.length < HEADER_BYTES ? undefined : this.exchanges.get(id(message));
    if (exchange === undefined) {
      this.options.onIgnored();
      if (++this.ignored > MAX_IGNORED_PER_CONNECTION) this.socket.destroy();
      return;
    }
    this.exchanges.delete(exchange.messageId);
    exchange.connection = null;
    this.replies++;
    if (!exchange.listener.reply(message, message.length)) exchange.listener.failed('malformed');
    this.closeIfDone();
  }
}
