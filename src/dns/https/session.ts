import type { Source } from '../../net/index.ts';
import type { TransportTraits } from '../answer/query-state.ts';
import type { Answerer } from '../answerer.ts';
import type { Channel, ChannelReader } from '../stream/channel.ts';
import type { StreamSession } from '../stream/stream-server.ts';
import { type HttpProtocol, NO_REPLY } from './protocol.ts';
import type { ThreadBuffers } from './thread-buffers.ts';

/** Queries waiting for an upstream. Above MAX_CONCURRENT_STREAMS: a stream that the client resets still waits. */
const MAX_IN_FLIGHT = 200;
/** Time for a request to arrive whole. */
const REQUEST_TIMEOUT_MS = 5000;

interface HttpsSessionOptions {
  readonly answerer: Answerer;
  readonly source: Source;
  readonly traits: TransportTraits;
  readonly maxQueries: number;
  readonly buffers: ThreadBuffers;
  now(): number;
  onLimit(): void;
}

/** One connection of DNS over HTTPS (RFC 8484). ALPN chooses the version of HTTP that reads it. */
export class HttpsSession implements StreamSession, ChannelReader {
  readonly channel: Channel;
  private readonly options: HttpsSessionOptions;
  /** Null until the handshake is done. */
  private protocol: HttpProtocol | null = null;
  private queries = 0;
  private inFlight = 0;
  private draining = false;
  private limited = false;
  /** Time of the last whole query, or of the last delayed response that the client took, in ms. */
  activeAtMs: number;
  private readAtMs: number;

  /** @param open makes the channel that this session reads */
  constructor(open: (reader: ChannelReader) => Channel, options: HttpsSessionOptions) {
    this.options = options;
    this.activeAtMs = options.now();
    this.readAtMs = this.activeAtMs;
    this.channel = open(this);
  }

  /** Starts HTTP once the handshake is done. */
  begin(protocol: HttpProtocol): void {
    this.protocol = protocol;
    if (this.draining) protocol.drain();
  }

  get buffers(): ThreadBuffers {
    return this.options.buffers;
  }

  /** Holds the reply after `ask`. */
  get reply(): Uint8Array {
    return this.options.answerer.reply;
  }

  get isBusy(): boolean {
    return this.inFlight > 0;
  }

  now(): number {
    return this.options.now();
  }

  closeIfIdle(nowMs: number, idleMs: number): void {
    const isBlocked = this.channel.unsentBytes > 0 || this.protocol?.isBlocked === true;
    if ((this.inFlight === 0 || isBlocked) && nowMs - this.activeAtMs >= idleMs) {
      this.countLimit();
      this.channel.destroy();
    } else this.protocol?.expireRequests(nowMs - REQUEST_TIMEOUT_MS);
  }

  /** HTTP/2 announces this by GOAWAY (RFC 9113 6.8). */
  drain(): void {
    this.draining = true;
    if (this.protocol === null) this.channel.destroy();
    else this.protocol.drain();
  }

  read(bytes: Uint8Array, length: number): void {
    this.readAtMs = this.now();
    this.options.buffers.date.refresh(this.readAtMs);
    this.protocol?.read(bytes, length);
  }

  sent(): void {
    this.protocol?.sent();
  }

  ended(): void {
    if (this.protocol === null) this.channel.destroy();
    else this.protocol.ended();
  }

  /**
   * Asks the query in `bytes[start, end)`.
   * @returns length of the answer in `reply`; DEFERRED: the caller calls `defer` next; NO_REPLY: the connection is closed
   */
  ask(bytes: Uint8Array, start: number, end: number): number {
    const { answerer, source, traits, maxQueries } = this.options;
    this.activeAtMs = this.readAtMs;
    this.queries++;
    const length = answerer.answerNow(bytes, start, end, source, traits);
    if (length === NO_REPLY) this.channel.destroy();
    if (this.queries === maxQueries) {
      this.countLimit();
      this.drain();
    }
    return length;
  }

  /** Asks an upstream. @param onReply called once, unless the connection has closed; the reply is valid during the call */
  defer(query: Uint8Array, onReply: (reply: Uint8Array) => void): void {
    const { answerer, source, traits } = this.options;
    if (++this.inFlight > MAX_IN_FLIGHT) this.protocol!.closeForAbuse();
    answerer.defer(query, source, traits, (reply) => {
      this.inFlight--;
      if (this.channel.isClosed) return;
      if (reply === null) this.channel.destroy();
      else {
        this.options.buffers.date.refresh(this.now());
        onReply(reply);
      }
    });
  }

  /** Counts this connection as closed by a limit, once. */
  countLimit(): void {
    if (!this.limited) this.options.onLimit();
    this.limited = true;
  }

  /** Notes that the client took a response that was held back. */
  noteActivity(): void {
    this.activeAtMs = this.now();
  }
}
