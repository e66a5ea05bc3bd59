import type { Source } from '../../net/index.ts';
import { type MessageSink, StreamFramer } from '../../wire/index.ts';
import type { TransportTraits } from '../answer/query-state.ts';
import type { Answerer } from '../answerer.ts';
import type { Channel, ChannelReader } from '../stream/channel.ts';
import type { Outbox } from '../stream/outbox.ts';
import { DEFERRED } from '../verdict.ts';

/** Longest query; real ones are far shorter. A client that announces more is disconnected. */
const MAX_QUERY_BYTES = 4096;
/** Queries waiting for an upstream before reading pauses. */
const MAX_IN_FLIGHT = 100;
/** Unread reply bytes before reading pauses. */
const MAX_UNREAD_BYTES = 256 * 1024;
/** Length field before each message (RFC 1035 4.2.2). */
const LENGTH_BYTES = 2;

export interface ConnectionOptions {
  readonly answerer: Answerer;
  readonly source: Source;
  readonly traits: TransportTraits;
  /** Queries per connection. */
  readonly maxQueries: number;
  /** The thread's. */
  readonly outbox: Outbox;
  now(): number;
  /** Called when a limit closes the connection. */
  onLimit(): void;
}

/**
 * DNS over one stream (RFC 7766). Answers go out as they become ready (6.2.1.1), also on a half-closed connection. All
 * replies to one read leave in one write.
 */
export class StreamConnection implements ChannelReader, MessageSink {
  private readonly channel: Channel;
  private readonly options: ConnectionOptions;
  private readonly framer = new StreamFramer(MAX_QUERY_BYTES);
  /** Queries of the latest read that wait for room. */
  private held: Uint8Array[] = [];
  /** True while replies collect in the outbox: during a read, and while held queries are asked. */
  private gathering = false;
  private queries = 0;
  private inFlight = 0;
  private paused = false;
  private isEnded = false;
  private draining = false;
  private limited = false;
  /** Time of the last whole query or last sent reply, in ms. Single bytes do not count as activity. */
  activeAtMs: number;
  private readAtMs: number;

  /** @param open makes the channel that this connection reads */
  constructor(open: (reader: ChannelReader) => Channel, options: ConnectionOptions) {
    this.options = options;
    this.activeAtMs = options.now();
    this.readAtMs = this.activeAtMs;
    this.channel = open(this);
  }

  get isBusy(): boolean {
    return this.inFlight > 0;
  }

  /** Closes the connection after `idleMs` without a query or a reply that the client took. */
  closeIfIdle(nowMs: number, idleMs: number): void {
    const waits = this.inFlight > 0 && this.channel.unsentBytes === 0;
    if (waits || nowMs - this.activeAtMs < idleMs) return;
    this.countLimit();
    this.channel.destroy();
  }

  /** Stops reading; closes when everything is answered and written, whatever the client does. */
  drain(): void {
    this.draining = true;
    this.ended();
  }

  read(bytes: Uint8Array, length: number): void {
    if (this.isEnded) return;
    this.gathering = true;
    this.readAtMs = this.options.now();
    this.framer.feed(bytes, length, this);
    this.endGathering();
    if (this.framer.oversized) {
      this.countLimit();
      this.channel.destroy();
    } else if (this.held.length > 0 || !this.hasRoom()) {
      this.paused = true;
      this.channel.pause();
    }
  }

  message(bytes: Uint8Array, start: number, end: number): void {
    if (this.isEnded || this.channel.isClosed) return;
    this.activeAtMs = this.readAtMs;
    if (this.held.length === 0 && this.hasRoom()) this.ask(bytes, start, end);
    else this.held.push(new Uint8Array(bytes.subarray(start, end)));
  }

  sent(): void {
    this.activeAtMs = this.options.now();
    this.resumeIfRoom();
  }

  ended(): void {
    this.isEnded = true;
    this.endIfDone();
  }

  private ask(bytes: Uint8Array, start: number, end: number): void {
    const { answerer, source, traits, maxQueries } = this.options;
    this.queries++;
    const length = answerer.answerNow(bytes, start, end, source, traits);
    if (length === DEFERRED) {
      this.inFlight++;
      answerer.defer(new Uint8Array(bytes.subarray(start, end)), source, traits, (reply) =>
        this.answerLate(reply),
      );
    } else this.reply(answerer.reply, length);
    if (this.queries < maxQueries) return;
    this.held = [];
    this.countLimit();
    this.ended();
  }

  private answerLate(reply: Uint8Array | null): void {
    this.inFlight--;
    if (this.channel.isClosed) return;
    if (reply === null) this.reply(null, 0);
    else this.reply(reply, reply.length);
    if (this.channel.isClosed) return;
    this.resumeIfRoom();
    this.endIfDone();
  }

  private reply(reply: Uint8Array | null, length: number): void {
    if (reply === null || length === 0) {
      // No reply is due: an ignored source, or not a query. Nothing good would follow.
      this.channel.destroy();
      return;
    }
    const { outbox } = this.options;
    const at = outbox.reserve(this.channel, LENGTH_BYTES + length);
    outbox.bytes[at] = length >>> 8;
    outbox.bytes[at + 1] = length;
    outbox.bytes.set(reply.length === length ? reply : reply.subarray(0, length), at + LENGTH_BYTES);
    if (!this.gathering) outbox.flush();
  }

  private endGathering(): void {
    this.gathering = false;
    this.options.outbox.flush();
    this.endIfDone();
  }

  private hasRoom(): boolean {
    return this.inFlight < MAX_IN_FLIGHT && this.channel.unsentBytes < MAX_UNREAD_BYTES;
  }

  private resumeIfRoom(): void {
    this.askHeld();
    if (!this.paused || this.held.length > 0 || !this.hasRoom()) return;
    this.paused = false;
    this.channel.resume();
  }

  private askHeld(): void {
    if (this.gathering || this.held.length === 0) return;
    this.gathering = true;
    while (this.held.length > 0 && this.hasRoom() && !this.channel.isClosed) {
      const query = this.held.shift()!;
      this.ask(query, 0, query.length);
    }
    this.endGathering();
  }

  /** Counts the connection once, however many limits it hits. */
  private countLimit(): void {
    if (!this.limited) this.options.onLimit();
    this.limited = true;
  }

  private endIfDone(): void {
    // Collected replies must be written first.
    const done = this.isEnded && !this.gathering && this.inFlight === 0 && this.held.length === 0;
    if (!done) return;
    if (this.draining) this.channel.finish();
    else this.channel.end();
  }
}
