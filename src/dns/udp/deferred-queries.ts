import type { Answerer } from '../answerer.ts';
import { RingReader } from '../defer-ring.ts';
import { readDeferredRecord } from '../deferred-record.ts';
import { answerDeferred } from './deferred-answers.ts';
import { ReplyQueue } from './udp-listener.ts';

/** The sockets of one address; any of them sends from it. */
export interface ReplySockets {
  readonly fds: readonly number[];
  readonly packetInfo: boolean;
}

/** Resolves and answers the queries that UDP threads defer: in this thread, or in the resolver's. */
export interface DeferredQueries {
  /** @returns number of the sockets, for `follow` and `close` */
  open(sockets: readonly ReplySockets[]): number;
  /** Answers the queries in a ring, from these sockets. @returns number of the ring */
  follow(ring: SharedArrayBuffer, sockets: number): number;
  /** Takes what is left in a ring and lets go of it. */
  end(ring: number): Promise<void>;
  /** Sends queued replies; sends none after that, so the sockets may be closed. */
  close(sockets: number): Promise<void>;
}

type TakeRecord = Parameters<RingReader['drain']>[0];

/** Deferred queries whose answerer is in this thread. */
export class LocalDeferredQueries implements DeferredQueries {
  private readonly answerer: Answerer;
  private readonly sockets: { readonly replies: ReplyQueue }[][] = [];
  private readonly rings: { readonly reader: RingReader; readonly take: TakeRecord }[] = [];

  constructor(answerer: Answerer) {
    this.answerer = answerer;
  }

  open(sockets: readonly ReplySockets[]): number {
    const listeners = sockets.map(({ fds, packetInfo }) => ({ replies: new ReplyQueue(fds, packetInfo) }));
    return this.sockets.push(listeners) - 1;
  }

  follow(ring: SharedArrayBuffer, sockets: number): number {
    const reader = new RingReader(ring);
    const listeners = this.sockets[sockets];
    const take: TakeRecord = (bytes, offset, length) =>
      answerDeferred(readDeferredRecord(bytes, offset, length), this.answerer, listeners);
    void reader.follow(take);
    return this.rings.push({ reader, take }) - 1;
  }

  async end(ring: number): Promise<void> {
    const { reader, take } = this.rings[ring];
    reader.drain(take);
    reader.stop();
  }

  async close(sockets: number): Promise<void> {
    for (const { replies } of this.sockets[sockets]) replies.close();
  }
}
