import { DEFERRED } from '../../verdict.ts';
import {
  endSoon,
  type HttpConnection,
  type HttpHost,
  MAX_UNREAD_BYTES,
  NO_REPLY,
} from '../http-connection.ts';
import { maxAgeSeconds } from '../max-age.ts';
import { Asks, isQuery, type Refusal, readDohRequest } from '../request.ts';
import { MAX_HEAD_BYTES } from '../request-head.ts';
import { ChunkedBody, ChunkedReader } from './chunked.ts';
import { HeadParser } from './head-parser.ts';
import { ANSWER_HEAD_BYTES, CONTINUE, refusalOf, writeAnswerHead } from './response.ts';

const CR = 0x0d;
const LF = 0x0a;
const NOTHING = new Uint8Array(0);

/** What comes next on the connection. */
const Next = { HEAD: 0, BODY: 1, CHUNKS: 2, ANSWER: 3, END: 4 } as const;
type Next = (typeof Next)[keyof typeof Next];

/**
 * One connection of HTTP/1.1 (RFC 9112) as DNS over HTTPS needs it: requests are answered one after the other, as they may
 * be asked without waiting (9.3.2); while one waits for an upstream no more is read.
 */
export class Http1Connection implements HttpConnection {
  private readonly host: HttpHost;
  private next: Next = Next.HEAD;
  private held = NOTHING;
  private heldLength = 0;
  /** Bytes at the start of what is held in which no head ends. */
  private scanned = 0;
  private bodyLength = 0;
  /** Whether the connection ends with the next response. */
  private closes = false;
  private draining = false;
  /** Within a read. */
  private taking = false;
  /** Since when a request is not whole, in ms; 0: none is. */
  private partialSinceMs = 0;
  readonly isBlocked = false;

  constructor(host: HttpHost) {
    this.host = host;
  }

  read(bytes: Uint8Array, length: number): void {
    if (this.next === Next.END) return;
    if (this.heldLength === 0) this.take(bytes, length);
    else {
      this.append(bytes, length);
      this.take(this.held, this.heldLength);
    }
  }

  sent(): void {}

  ended(): void {
    this.drain();
  }

  drain(): void {
    this.draining = true;
    if (this.next !== Next.ANSWER) this.end();
  }

  calm(): void {
    this.host.countLimit();
    this.host.channel.destroy();
  }

  giveUpBefore(timeMs: number): void {
    if (this.partialSinceMs > 0 && this.partialSinceMs < timeMs) this.calm();
  }

  /** Answers what is whole in the first `limit` bytes, and holds the rest. */
  private take(bytes: Uint8Array, limit: number): void {
    let at = 0;
    this.taking = true;
    while (this.next < Next.ANSWER && !this.host.channel.isClosed) {
      const end = this.step(bytes, at, limit);
      if (end < 0) break;
      at = end;
    }
    this.taking = false;
    this.host.thread.outbox.flush();
    if (this.next === Next.END || this.host.channel.isClosed) {
      this.keep(NOTHING, 0, 0);
      return;
    }
    this.keep(bytes, at, limit);
    if (this.next === Next.ANSWER) this.partialSinceMs = 0;
    else if (at === limit && this.next === Next.HEAD) this.partialSinceMs = 0;
    else if (this.partialSinceMs === 0) this.partialSinceMs = this.host.now();
    if (this.host.channel.unsentBytes > MAX_UNREAD_BYTES) this.calm();
  }

  /** Reads the next part of a request. @returns where it ends; -1 where it is not whole */
  private step(bytes: Uint8Array, at: number, limit: number): number {
    if (this.next === Next.HEAD) return this.readHead(bytes, at, limit);
    if (this.next === Next.CHUNKS) return this.readChunks(bytes, at, limit);
    if (limit - at < this.bodyLength) return -1;
    this.ask(bytes, at, at + this.bodyLength);
    return at + this.bodyLength;
  }

  private readHead(bytes: Uint8Array, from: number, limit: number): number {
    // Lines that are empty before a request (RFC 9112 2.2).
    let at = from;
    while (at < limit && (bytes[at] === CR || bytes[at] === LF)) at++;
    const end = HeadParser.findEnd(bytes, Math.max(at, from + this.scanned), limit);
    if (end < 0 && limit - from <= MAX_HEAD_BYTES) {
      this.scanned = Math.max(limit - from - 3, 0);
      return -1;
    }
    this.scanned = 0;
    if (end < 0 || end - from > MAX_HEAD_BYTES) {
      this.refuse(431, true);
      return limit;
    }
    this.takeHead(bytes, at, end, limit);
    return end;
  }

  private takeHead(bytes: Uint8Array, start: number, end: number, limit: number): void {
    const { head, query } = this.host.thread;
    const { parser } = shared;
    const verdict = parser.parse(bytes, start, end, head);
    if (verdict !== 0) {
      this.refuse(verdict, true);
      return;
    }
    const hasBody = parser.isChunked || head.contentLength > 0;
    const asked = readDohRequest(head, query);
    this.closes = parser.closes || this.draining;
    if (asked === Asks.MESSAGE) {
      // A body that nobody has a use for is not read, and so nothing behind it.
      this.closes ||= hasBody;
      this.ask(query.bytes, 0, query.length);
    } else if (asked !== Asks.BODY) this.refuse(asked, hasBody);
    else if (!hasBody) this.refuse(400, false);
    else {
      this.next = parser.isChunked ? Next.CHUNKS : Next.BODY;
      this.bodyLength = head.contentLength;
      if (parser.expectsContinue && end === limit) this.write(CONTINUE);
    }
  }

  private readChunks(bytes: Uint8Array, at: number, limit: number): number {
    const { chunks } = shared;
    const end = chunks.read(bytes, at, limit);
    if (end === ChunkedBody.PARTIAL) return -1;
    if (end < 0) {
      this.refuse(end === ChunkedBody.TOO_LARGE ? 413 : 400, true);
      return limit;
    }
    this.ask(chunks.body, 0, chunks.bodyLength);
    return end;
  }

  private ask(bytes: Uint8Array, start: number, end: number): void {
    this.next = Next.HEAD;
    this.partialSinceMs = 0;
    if (!isQuery(bytes, start, end)) {
      this.refuse(400, false);
      return;
    }
    const { host } = this;
    // Until it is answered the connection does not end, also if this was the last query that it may ask.
    this.next = Next.ANSWER;
    const length = host.ask(bytes, start, end);
    if (length === DEFERRED) {
      host.defer(new Uint8Array(bytes.subarray(start, end)), (reply) => this.answerLate(reply));
      // It may have been answered already.
      if (this.next === Next.ANSWER) host.channel.pause();
      return;
    }
    this.next = Next.HEAD;
    if (length !== NO_REPLY) this.answer(host.reply, length);
  }

  private answerLate(reply: Uint8Array): void {
    this.next = Next.HEAD;
    this.answer(reply, reply.length);
    if (this.taking) return;
    this.take(this.held, this.heldLength);
    if ((this.next as Next) !== Next.ANSWER) this.host.channel.resume();
  }

  private answer(reply: Uint8Array, length: number): void {
    const { channel, thread } = this.host;
    const { outbox, date } = thread;
    const closes = this.closes || this.draining;
    const room = ANSWER_HEAD_BYTES + length;
    const at = outbox.reserve(channel, room);
    const body = writeAnswerHead(outbox.bytes, at, date.bytes, maxAgeSeconds(reply, length), length, closes);
    outbox.bytes.set(reply.length === length ? reply : reply.subarray(0, length), body);
    outbox.trim(at + room - body - length);
    if (closes) this.end();
    else if (channel.unsentBytes > MAX_UNREAD_BYTES) this.calm();
  }

  private refuse(status: Refusal, leavesBody: boolean): void {
    const closes = leavesBody || this.closes || this.draining;
    this.write(refusalOf(status, this.host.thread.date.bytes, closes));
    if (closes) this.end();
  }

  private write(bytes: Uint8Array): void {
    const { channel, thread } = this.host;
    thread.outbox.bytes.set(bytes, thread.outbox.reserve(channel, bytes.length));
  }

  private end(): void {
    if (this.next === Next.END) return;
    this.next = Next.END;
    this.host.thread.outbox.flush();
    endSoon(this.host.channel);
  }

  private append(bytes: Uint8Array, length: number): void {
    const needed = this.heldLength + length;
    if (needed > this.held.length) {
      const larger = new Uint8Array(Math.max(needed, this.held.length * 2));
      larger.set(this.held.subarray(0, this.heldLength));
      this.held = larger;
    }
    this.held.set(bytes.subarray(0, length), this.heldLength);
    this.heldLength = needed;
  }

  private keep(bytes: Uint8Array, from: number, limit: number): void {
    this.heldLength = limit - from;
    if (from === limit) this.held = NOTHING;
    else if (from > 0 || bytes !== this.held) this.held = new Uint8Array(bytes.subarray(from, limit));
  }
}

/** Of the thread: used within one call. */
const shared = { parser: new HeadParser(), chunks: new ChunkedReader() };
