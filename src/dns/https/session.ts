import type { Source } from '../../net/index.ts';
import type { TransportTraits } from '../answer/query-state.ts';
import type { Answerer } from '../answerer.ts';
import type { Channel, ChannelReader } from '../stream/channel.ts';
import type { StreamSession } from '../stream/stream-server.ts';
import { type HttpConnection, type HttpHost, NO_REPLY } from './http-connection.ts';
import type { HttpThread } from './http-thread.ts';
import { Http1Connection } from './http1/connection.ts';
import { Http2Connection } from './http2/connection.ts';

/** Queries that wait for an upstream: more than there may be streams, as those that were given up wait, too. */
const MAX_IN_FLIGHT = 200;
/** How long a request may take to come whole. */
const REQUEST_TIMEOUT_MS = 5000;

export interface HttpsSessionOptions {
  readonly answerer: Answerer;
  readonly source: Source;
  readonly traits: TransportTraits;
  readonly maxQueries: number;
  readonly thread: HttpThread;
  now(): number;
  onLimit(): void;
}

/** One connection of DNS over HTTPS (RFC 8484), in whichever version of HTTP the handshake settles on. */
export class HttpsSession implements StreamSession, ChannelReader, HttpHost {
  readonly channel: Channel;
  private readonly options: HttpsSessionOptions;
  /** Null until the handshake is over. */
  private connection: HttpConnection | null = null;
  private queries = 0;
  private inFlight = 0;
  private draining = false;
  private limited = false;
  /** When the last whole query came or the last reply that was held back was taken, in ms. */
  private activeAtMs: number;
  private readAtMs: number;

  /** @param open makes the channel that this session reads */
  constructor(open: (reader: ChannelReader) => Channel, options: HttpsSessionOptions) {
    this.options = options;
    this.activeAtMs = options.now();
    this.readAtMs = this.activeAtMs;
    this.channel = open(this);
  }

  /** Speaks HTTP from now on: the handshake is over. */
  begin(version: 'http/1.1' | 'h2'): void {
    if (this.channel.isClosed) return;
    this.connection = version === 'h2' ? new Http2Connection(this) : new Http1Connection(this);
    if (this.draining) this.connection.drain();
  }

  get thread(): HttpThread {
    return this.options.thread;
  }

  get reply(): Uint8Array {
    return this.options.answerer.reply;
  }

  now(): number {
    return this.options.now();
  }

  closeIfIdle(nowMs: number, idleMs: number): void {
    const isBlocked = this.channel.unsentBytes > 0 || this.connection?.isBlocked === true;
    if ((this.inFlight === 0 || isBlocked) && nowMs - this.activeAtMs >= idleMs) {
      this.countLimit();
      this.channel.destroy();
    } else this.connection?.giveUpBefore(nowMs - REQUEST_TIMEOUT_MS);
  }

  /** HTTP/2 says so by GOAWAY (RFC 9113 6.8). */
  drain(): void {
    this.draining = true;
    if (this.connection === null) this.channel.destroy();
    else this.connection.drain();
  }

  read(bytes: Uint8Array, length: number): void {
    this.readAtMs = this.now();
    this.options.thread.date.refresh(this.readAtMs);
    this.connection?.read(bytes, length);
  }

  sent(): void {
    this.connection?.sent();
  }

  ended(): void {
    if (this.connection === null) this.channel.destroy();
    else this.connection.ended();
  }

  ask(bytes: Uint8Array, start: number, end: number): number {
    const { answerer, source, traits, maxQueries } = this.options;
    this.activeAtMs = this.readAtMs;
    this.queries++;
    const length = answerer.answerNow(bytes, start, end, source, traits);
    // An ignored source.
    if (length === NO_REPLY) this.channel.destroy();
    if (this.queries === maxQueries) {
      this.countLimit();
      this.drain();
    }
    return length;
  }

  defer(query: Uint8Array, late: (reply: Uint8Array) => void): void {
    const { answerer, source, traits } = this.options;
    if (++this.inFlight > MAX_IN_FLIGHT) this.connection!.calm();
    answerer.defer(query, source, traits, (reply) => {
      this.inFlight--;
      if (this.channel.isClosed) return;
      if (reply === null) this.channel.destroy();
      else {
        this.options.thread.date.refresh(this.now());
        late(reply);
      }
    });
  }

  countLimit(): void {
    if (!this.limited) this.options.onLimit();
    this.limited = true;
  }

  noteActivity(): void {
    this.activeAtMs = this.now();
  }
}
