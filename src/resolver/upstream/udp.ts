import type { UpstreamQuery } from '../query.ts';
import { concernsQuestion } from '../reply.ts';
import type { DatagramLease, DatagramPool, DatagramReceiver } from './datagram-pool.ts';
import type { Exchange, ReplyListener, Upstream } from './upstream.ts';

/** False replies to one question that are ignored; one more moves the question to a stream. */
export const MAX_FALSE_REPLIES = 8;

/**
 * DNS over UDP (RFC 1035 4.2.1). Messages that are not the reply are ignored, and the wait goes on (RFC 5452
 * 9.1).
 */
export class UdpUpstream implements Upstream {
  readonly mayBeSpoofed = true;
  readonly isEncrypted = false;
  private readonly pool: DatagramPool;
  private readonly onIgnored: () => void;

  constructor(pool: DatagramPool, onIgnored: () => void) {
    this.pool = pool;
    this.onIgnored = onIgnored;
  }

  ask(query: UpstreamQuery, listener: ReplyListener): Exchange | null {
    const exchange = new DatagramExchange(query, listener, this.onIgnored);
    exchange.lease = this.pool.send(query.bytes, exchange);
    return exchange.lease === null ? null : exchange;
  }

  close(): Promise<void> {
    return this.pool.close();
  }
}

class DatagramExchange implements Exchange, DatagramReceiver {
  lease: DatagramLease | null = null;
  private readonly query: UpstreamQuery;
  private readonly listener: ReplyListener;
  private readonly onIgnored: () => void;
  private falseReplies = 0;

  constructor(query: UpstreamQuery, listener: ReplyListener, onIgnored: () => void) {
    this.query = query;
    this.listener = listener;
    this.onIgnored = onIgnored;
  }

  cancel(): void {
    this.lease?.release();
    this.lease = null;
  }

  datagram(message: Uint8Array, length: number): boolean {
    if (this.listener.reply(message, length)) {
      this.lease = null;
      return true;
    }
    return this.ignored();
  }

  stray(message: Uint8Array, length: number): void {
    // Late replies to earlier questions have other IDs, too, but are about other names.
    if (!concernsQuestion(message, length, this.query)) return;
    if (this.ignored()) this.cancel();
  }

  unreachable(): void {
    this.lease = null;
    this.listener.failed('unreachable');
  }

  /** @returns true for one false reply too many, which ends the exchange */
  private ignored(): boolean {
    this.onIgnored();
    this.falseReplies++;
    if (this.falseReplies <= MAX_FALSE_REPLIES) return false;
    this.listener.failed('flooded');
    return true;
  }
}
