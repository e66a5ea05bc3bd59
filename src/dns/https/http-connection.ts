import type { Channel, ChannelReader } from '../stream/channel.ts';
import type { HttpThread } from './http-thread.ts';

/** One connection as a version of HTTP speaks it. */
export interface HttpConnection extends ChannelReader {
  /** Whether a response waits until the client takes it. */
  readonly isBlocked: boolean;
  /** Takes no more requests; ends when those under way have been answered. */
  drain(): void;
  /** Ends a connection that asks for too much. */
  calm(): void;
  /** Gives up requests that are not whole and came before this, in ms of the monotonic clock. */
  giveUpBefore(timeMs: number): void;
}

/** What a connection of either version asks of the session that it belongs to. */
export interface HttpHost {
  readonly channel: Channel;
  readonly thread: HttpThread;
  /** Where replies of `ask` stand. */
  readonly reply: Uint8Array;
  now(): number;
  /**
   * Asks the query at `start` to `end`.
   * @returns bytes of the answer in `reply`; DEFERRED: `defer` is the next call; NO_REPLY: the connection is closed
   */
  ask(bytes: Uint8Array, start: number, end: number): number;
  /** Asks an upstream. @param late called with the reply, once, unless the connection has closed; valid during the call */
  defer(query: Uint8Array, late: (reply: Uint8Array) => void): void;
  /** Notes that the connection is closed by one of its limits. */
  countLimit(): void;
  /** Notes that the client has taken what was held back for it. */
  noteActivity(): void;
}

/** There is none for an ignored source. */
export const NO_REPLY = 0;
/** Replies that a client has not read, in bytes, before the connection is closed. */
export const MAX_UNREAD_BYTES = 1024 * 1024;
/** How long a client has to read what was written last. */
const LINGER_MS = 500;

/**
 * Ends a connection. What the client sends meanwhile is read and left: were it closed at once, it might lose what was
 * written last (RFC 9112 9.6).
 */
export function endSoon(channel: Channel): void {
  channel.end();
  setTimeout(() => channel.destroy(), LINGER_MS).unref();
}
