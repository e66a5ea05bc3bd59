import { DEFERRED } from '../../verdict.ts';
import { lingeringClose } from '../linger.ts';

import { maxAgeSeconds } from '../max-age.ts';
import { type HttpProtocol, MAX_UNREAD_BYTES, NO_REPLY } from '../protocol.ts';
import { DohMessage, isQuery, type Refusal, readDohRequest } from '../request.ts';
import { MAX_HEAD_BYTES } from '../request-head.ts';
import type { HttpsSession } from '../session.ts';
import { ChunkedBody, ChunkedReader } from './chunked.ts';
import { HeadParser } from './head-parser.ts';
import { ANSWER_HEAD_BYTES, CONTINUE, refusalOf, writeAnswerHead } from './response.ts';

const CR = 0x0d;
const LF = 0x0a;
const NOTHING = new Uint8Array(0);

/** The next thing to happen on the connection. */
const Next = { HEAD: 0, BODY: 1, CHUNKS: 2, ANSWER: 3, END: 4 } as const;
type Next = (typeof Next)[keyof typeof Next];

/**
 * One HTTP/1.1 connection (RFC 9112), as far as DNS over HTTPS needs it. Pipelined requests are answered in order
 * (9.3.2); nothing is read while one waits for an upstream.
 */
export class Http1Connection implements HttpProtocol {
  private readonly session: HttpsSession;
  private next: Next = Next.HEAD;
  /** The incomplete request: the first `heldLength` bytes of `held`. */
  private held = NOTHING;
  private heldLength = 0;
  /** Held bytes that were searched for the end of a head. */
  private scanned = 0;
  private bodyLength = 0;
  /** True if the connection ends with the next response. */
  private closes = false;
  private draining = false;
  private processing = false;
  /** Time since which a request is incomplete, in ms; 0: none is. */
  private partialSinceMs = 0;
  readonly isBlocked = false;

  constructor(session: HttpsSession) {
    this.session = session;
  }

  read(bytes: Uint8Array, length: number): void {
    if (this.next === Next.END) return;
    if (this.heldLength === 0) this.process(bytes, length);
    else {
      this.append(bytes, length);
      this.process(this.held, this.heldLength);
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

  closeForAbuse(): void {
    this.session.countLimit();
    this.session.channel.destroy();
  }

  forbid(): void {
    this.next = Next.HEAD;
    this.refuse(403, true);
  }

  expireRequests(timeMs: number): void {
    if (this.partialSinceMs > 0 && this.partialSinceMs < timeMs) this.closeForAbuse();
  }

  /** Answers the whole requests in `bytes[0, limit)` and holds the rest. */
  private process(bytes: Uint8Array, limit: number): void {
    const { channel, buffers } = this.session;
    let at = 0;
    this.processing = true;
    while (this.next < Next.ANSWER && !channel.isClosed) {
      const end = this.step(bytes, at, limit);
      if (end < 0) break;
      at = end;
    }
    this.processing = false;
    buffers.outbox.flush();
    if (this.next === Next.END || channel.isClosed) {
      this.keep(NOTHING, 0, 0);
      return;
    }
    this.keep(bytes, at, limit);
    if (this.next === Next.ANSWER) this.partialSinceMs = 0;
    else if (at === limit && this.next === Next.HEAD) this.partialSinceMs = 0;
    else if (this.partialSinceMs === 0) this.partialSinceMs = this.session.now();
    if (channel.unsentBytes > MAX_UNREAD_BYTES) this.closeForAbuse();
  }

  /** Reads the next part of a request. @returns the offset behind it; -1 if it is incomplete */
  private step(bytes: Uint8Array, at: number, limit: number): number {
    if (this.next === Next.HEAD) return this.readHead(bytes, at, limit);
    if (this.next === Next.CHUNKS) return this.readChunks(bytes, at, limit);
    if (limit - at < this.bodyLength) return -1;
    this.ask(bytes, at, at + this.bodyLength);
    return at + this.bodyLength;
  }

  private readHead(bytes: Uint8Array, from: number, limit: number): number {
    // Empty lines before a request are skipped (RFC 9112 2.2).
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
    this.handleHead(bytes, at, end, limit);
    return end;
  }

  private handleHead(bytes: Uint8Array, start: number, end: number, limit: number): void {
    const { head, query } = this.session.buffers;
    const { parser } = shared;
    const verdict = parser.parse(bytes, start, end, head);
    if (verdict !== 0) {
      this.refuse(verdict, true);
      return;
    }
    const hasBody = parser.isChunked || head.contentLength > 0;
    const request = readDohRequest(head, query, this.session);
    this.closes = parser.closes || this.draining;
    if (request === DohMessage.IN_QUERY) {
      // A GET's body is never read, so the connection cannot go on behind it.
      this.closes ||= hasBody;
      this.ask(query.bytes, 0, query.length);
    } else if (request !== DohMessage.IN_BODY) this.refuse(request, hasBody || request === 403);
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
    const { session } = this;
    // Set before asking: `ask` may drain the connection, which must not end before this answer.
    this.next = Next.ANSWER;
    const length = session.ask(bytes, start, end);
    if (length === DEFERRED) {
      session.defer(new Uint8Array(bytes.subarray(start, end)), (reply) => this.answerLate(reply));
      // `defer` may have answered already.
      if (this.next === Next.ANSWER) session.channel.pause();
      return;
    }
    this.next = Next.HEAD;
    if (length !== NO_REPLY) this.answer(session.reply, length);
  }

  private answerLate(reply: Uint8Array): void {
    this.next = Next.HEAD;
    this.answer(reply, reply.length);
    if (this.processing) return;
    this.process(this.held, this.heldLength);
    if ((this.next as Next) !== Next.ANSWER) this.session.channel.resume();
  }

  private answer(reply: Uint8Array, length: number): void {
    const { channel, buffers } = this.session;
    const { outbox, date } = buffers;
    const closes = this.closes || this.draining;
    const room = ANSWER_HEAD_BYTES + length;
    const at = outbox.reserve(channel, room);
    const body = writeAnswerHead(outbox.bytes, at, date.bytes, maxAgeSeconds(reply, length), length, closes);
    outbox.bytes.set(reply.length === length ? reply : reply.subarray(0, length), body);
    outbox.trim(at + room - body - length);
    if (closes) this.end();
    else if (channel.unsentBytes > MAX_UNREAD_BYTES) this.closeForAbuse();
  }

  private refuse(status: Refusal, leavesBody: boolean): void {
    const closes = leavesBody || this.closes || this.draining;
    this.write(refusalOf(status, this.session.buffers.date.bytes, closes));
    if (closes) this.end();
  }

  private write(bytes: Uint8Array): void {
    const { channel, buffers } = this.session;
    buffers.outbox.bytes.set(bytes, buffers.outbox.reserve(channel, bytes.length));
  }

  private end(): void {
    if (this.next === Next.END) return;
    this.next = Next.END;
    this.session.buffers.outbox.flush();
    lingeringClose(this.session.channel);
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

/** Shared by the thread's connections; contents are valid within one call. */
const shared = { parser: new HeadParser(), chunks: new ChunkedReader() };
