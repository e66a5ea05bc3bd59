import type { ChannelReader } from '../stream/channel.ts';

/** One version of HTTP on one connection. The session reads the connection and asks the queries. */
export interface HttpProtocol extends ChannelReader {
  /** True while a response waits for the client's flow-control window. */
  readonly isBlocked: boolean;
  /** Accepts no more requests; ends the connection when those in progress have been answered. */
  drain(): void;
  /** Ends a connection that went over one of its limits. */
  closeForAbuse(): void;
  /** Refuses all requests in progress with 403, and ends the connection. */
  forbid(): void;
  /** Gives up requests that began before `timeMs` (monotonic clock) and are still incomplete. */
  expireRequests(timeMs: number): void;
}

/** Length of the reply to an ignored source: there is none. */
export const NO_REPLY = 0;
/** Bytes of responses that a client may leave unread before its connection is closed. */
export const MAX_UNREAD_BYTES = 1024 * 1024;
