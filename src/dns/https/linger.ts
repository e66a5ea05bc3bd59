import type { Channel } from '../stream/channel.ts';

const LINGER_MS = 500;

/**
 * Ends our side and closes the connection half a second later. Closing at once could reset the connection and lose the
 * last response (RFC 9112 9.6); bytes that arrive meanwhile are dropped.
 */
export function lingeringClose(channel: Channel): void {
  channel.end();
  setTimeout(() => channel.destroy(), LINGER_MS).unref();
}
