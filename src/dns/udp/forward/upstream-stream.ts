import {
  type Epoll,
  EpollEvent,
  Memory,
  TlsClient,
  TlsContext,
  type TlsPeer,
  TlsState,
} from '../../../sys/index.ts';
import {
  LENGTH_BYTES,
  MAX_QUERY_BYTES,
  padMessage,
  QUERY_BLOCK_BYTES,
  readU16,
  setId,
  writeU16,
} from '../../../wire/index.ts';

/** Longer replies go to the resolver, which asks again. */
export const MAX_REPLY_BYTES = 4096;
const OUT_BYTES = 65_536;
const IN_BYTES = 32_768;
const MAX_PADDED_BYTES = MAX_QUERY_BYTES + QUERY_BLOCK_BYTES;
/** Misses within a second from which on a thread opens a connection of its own; fewer go over the resolver's. */
const BUSY = 20;
/** Without a question for so long it is closed (RFC 7766 6.2.3). */
const IDLE_MS = 10_000;
const OPENING_MS = 5000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** Reads of one turn: an upstream that never ends does not starve clients. */
const READS = 32;
/** Replies that nobody awaits, after which it is closed. */
const MAX_FALSE_REPLIES = 1000;

/** Indexes of `times`, in ms of the monotonic clock. */
const [OPENED_AT, USED_AT, RETRY_AT, WANTED_SINCE, READ_AT] = [0, 1, 2, 3, 4] as const;

/** Receives what a connection brings. */
export interface StreamListener {
  /** A reply at bytes[0, length), valid during the call. */
  streamReply(bytes: Uint8Array, length: number): void;
  /** A reply of more than MAX_REPLY_BYTES. */
  longReply(id: number): void;
  /** Nothing more comes: all its questions go elsewhere. */
  streamEnded(): void;
}

/**
 * One thread's TLS connection to the upstream (RFC 7858), open while there are misses enough to fill it. Queries of a batch
 * leave in one record; replies come in any order. The resolver asks over connections of its own until it is open, and
 * after it failed. Nothing is allocated while it is open.
 */
export class UpstreamStream {
  private readonly epoll: Epoll;
  private readonly tag: number;
  private readonly listener: StreamListener;
  private readonly authorities: readonly string[] | undefined;
  private context: TlsContext | null | undefined;
  private peer: TlsPeer | null = null;
  private client: TlsClient | null = null;
  /** The events that the epoll waits for. */
  private events = 0;
  private readonly padded = new Uint8Array(MAX_PADDED_BYTES);
  private readonly out = new Memory(OUT_BYTES);
  private outStart = 0;
  private outEnd = 0;
  private readonly incoming = new Memory(IN_BYTES);
  private readonly reply = new Uint8Array(MAX_REPLY_BYTES);
  /** Length of the reply being read, and how much is here. -1: the length itself is being read. */
  private replyLength = -1;
  private replyHere = 0;
  private falseReplies = 0;
  private readonly wanted = new Uint32Array(1);
  private readonly times = new Float64Array(5);
  private pauseMs = FIRST_PAUSE_MS;
  private wasOpen = false;
  /** Records may wait unread: the next turn is due at once. */
  hasMore = false;

  /**
   * @param tag that the epoll knows it by
   * @param authorities PEM, instead of those that node:tls trusts
   */
  constructor(epoll: Epoll, tag: number, listener: StreamListener, authorities?: readonly string[]) {
    this.epoll = epoll;
    this.tag = tag;
    this.listener = listener;
    this.authorities = authorities;
  }

  get isOpen(): boolean {
    return this.client !== null && this.client.state === TlsState.OPEN;
  }

  /** True while the thread has to wait for its connection, though no reply is awaited. */
  get isOpening(): boolean {
    return this.client !== null && this.client.state !== TlsState.OPEN;
  }

  /** Turns to another upstream; null: to none. */
  use(peer: TlsPeer | null): void {
    this.end();
    this.peer = peer;
    this.pauseMs = FIRST_PAUSE_MS;
    this.times[RETRY_AT] = 0;
  }

  /** A miss had to go to the resolver, because there is no connection. */
  want(clock: Float64Array): void {
    const { times, wanted } = this;
    const nowMs = clock[0];
    if (this.peer === null || this.client !== null || nowMs < times[RETRY_AT]) return;
    if (nowMs - times[WANTED_SINCE] > 1000) {
      times[WANTED_SINCE] = nowMs;
      wanted[0] = 0;
    }
    if (++wanted[0] >= BUSY) this.open(nowMs);
  }

  /** Appends the query at query[at, at + length) under an ID, padded (RFC 8467 4.1). @returns false if there is no room, or no connection */
  send(
    query: Uint8Array,
    at: number,
    length: number,
    questionEnd: number,
    id: number,
    clock: Float64Array,
  ): boolean {
    if (!this.isOpen) return false;
    if (this.outStart === this.outEnd) {
      this.outStart = 0;
      this.outEnd = 0;
    }
    if (this.outEnd + LENGTH_BYTES + MAX_PADDED_BYTES > OUT_BYTES) return false;
    const { padded } = this;
    const { bytes } = this.out;
    for (let i = 0; i < length; i++) padded[i] = query[at + i];
    setId(padded, id);
    // Behind the question there is an OPT record or nothing.
    const hasEdns = length > questionEnd;
    const end = hasEdns
      ? padMessage(padded, questionEnd, length, QUERY_BLOCK_BYTES, MAX_PADDED_BYTES)
      : length;
    writeU16(bytes, this.outEnd, end);
    const start = this.outEnd + LENGTH_BYTES;
    for (let i = 0; i < end; i++) bytes[start + i] = padded[i];
    this.outEnd = start + end;
    this.times[USED_AT] = clock[0];
    return true;
  }

  /** Writes what `send` appended. */
  flush(): void {
    const { client, out } = this;
    if (client === null || this.outStart === this.outEnd) return;
    while (this.outStart < this.outEnd) {
      const count = client.write(out, this.outStart, this.outEnd);
      if (count === 0) break;
      out.bytes.fill(0, this.outStart, this.outStart + count);
      this.outStart += count;
    }
    this.settle();
  }

  /** Goes on after an event of the epoll, or a turn that left records unread. @returns replies read */
  receive(clock: Float64Array): number {
    const { client } = this;
    if (client === null) return 0;
    if (client.state < TlsState.OPEN) {
      if (client.advance() === TlsState.OPEN) this.opened();
      this.settle();
      return 0;
    }
    this.flush();
    let replies = 0;
    this.hasMore = false;
    for (let reads = 0; this.client === client; reads++) {
      if (reads === READS) {
        this.hasMore = true;
        break;
      }
      const count = client.read(this.incoming);
      if (count === 0) break;
      this.times[READ_AT] = clock[0];
      replies += this.take(count);
    }
    this.settle();
    return replies;
  }

  /** Closes it where it has been idle, or takes too long to open; once in a while. @param awaited replies awaited */
  tick(clock: Float64Array, awaited: number): void {
    if (this.client === null) return;
    const nowMs = clock[0];
    if (this.isOpening && nowMs - this.times[OPENED_AT] > OPENING_MS) this.end();
    else if (awaited === 0 && this.isOpen && nowMs - this.times[USED_AT] > IDLE_MS) this.end();
  }

  /** A question that was sent then has had no reply in time: where nothing came since, the connection is dead. */
  noteTimeout(sentMs: number): void {
    if (this.isOpen && this.times[READ_AT] < sentMs) this.end();
  }

  /** The listener's: the reply that it was given answers nothing that was asked. */
  countFalse(): void {
    this.falseReplies++;
  }

  /** Closes it; the listener is told, if it was there. */
  end(): void {
    const { client } = this;
    if (client === null) return;
    client.close();
    this.forget();
  }

  /** Zeroes what has been read. For idle moments. */
  clear(): void {
    this.incoming.bytes.fill(0);
    if (this.replyLength < 0) this.reply.fill(0);
  }

  close(): void {
    this.end();
    this.context?.close();
    this.context = null;
  }

  private open(nowMs: number): void {
    if (this.context === undefined) this.context = TlsContext.create('dot', this.authorities);
    if (this.context === null || this.peer === null) return;
    const client = new TlsClient(this.context, this.peer);
    this.times[RETRY_AT] = nowMs + this.pauseMs;
    this.wasOpen = false;
    if (client.state === TlsState.ENDED) return;
    this.client = client;
    this.times[OPENED_AT] = nowMs;
    this.events = EpollEvent.OUT;
    this.epoll.add(client.fd, this.events, this.tag);
  }

  private opened(): void {
    this.wasOpen = true;
    this.pauseMs = FIRST_PAUSE_MS;
    this.times[USED_AT] = this.times[OPENED_AT];
  }

  /** After each step: waits for what the connection wants, or lets go of one that has ended. */
  private settle(): void {
    const { client } = this;
    if (client === null) return;
    if (client.state === TlsState.ENDED) {
      this.forget();
      return;
    }
    const hasUnsent = client.state === TlsState.OPEN && this.outStart < this.outEnd;
    const events = EpollEvent.IN | (client.wantsWrite || hasUnsent ? EpollEvent.OUT : 0);
    if (events === this.events) return;
    this.events = events;
    this.epoll.modify(client.fd, events, this.tag);
  }

  private forget(): void {
    this.client = null;
    if (!this.wasOpen) this.pauseMs = Math.min(2 * this.pauseMs, LONGEST_PAUSE_MS);
    this.out.bytes.fill(0, this.outStart, this.outEnd);
    this.outStart = 0;
    this.outEnd = 0;
    this.replyLength = -1;
    this.replyHere = 0;
    this.falseReplies = 0;
    this.wanted[0] = 0;
    this.hasMore = false;
    this.listener.streamEnded();
  }

  /** Cuts what was read into replies. @returns their number */
  private take(count: number): number {
    const { bytes } = this.incoming;
    let replies = 0;
    for (let at = 0; at < count; ) {
      if (this.replyLength < 0) {
        this.reply[this.replyHere++] = bytes[at++];
        if (this.replyHere < LENGTH_BYTES) continue;
        this.replyLength = readU16(this.reply, 0);
        this.replyHere = 0;
      }
      const missing = this.replyLength - this.replyHere;
      const here = missing < count - at ? missing : count - at;
      const room = MAX_REPLY_BYTES - this.replyHere;
      const kept = here < room ? here : room;
      for (let i = 0; i < kept; i++) this.reply[this.replyHere + i] = bytes[at + i];
      this.replyHere += here;
      at += here;
      if (this.replyHere < this.replyLength) continue;
      const length = this.replyLength;
      this.replyLength = -1;
      this.replyHere = 0;
      replies++;
      if (length <= MAX_REPLY_BYTES) this.listener.streamReply(this.reply, length);
      else this.listener.longReply(readU16(this.reply, 0));
      // Only between replies: it ends questions, which the listener may be in the middle of.
      if (this.falseReplies > MAX_FALSE_REPLIES) {
        this.end();
        break;
      }
    }
    return replies;
  }
}
