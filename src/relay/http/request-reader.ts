import { ChunkReader } from './chunk-reader.ts';
import { type RequestHead, readRequestHead } from './request-head.ts';

/** Longest request head; common servers reject longer ones. */
export const MAX_HEAD_BYTES = 16_384;

/** Result of `read`. */
export const RequestEvent = {
  /** All bytes were consumed. */
  MORE: 0,
  /** A head is complete, in `head` and `headBytes`. */
  HEAD: 1,
  /** Body bytes up to `bodyEnd` may be forwarded. */
  BODY: 2,
  /** Not HTTP/1.x, or ambiguous. The reader accepts no more bytes. */
  MALFORMED: 3,
} as const;
export type RequestEvent = (typeof RequestEvent)[keyof typeof RequestEvent];

const CR = 0x0d;
const LF = 0x0a;
const NOTHING = Buffer.alloc(0);
/** Fields that ask to switch the protocol; hop-by-hop (RFC 9110 section 7.8). */
const UPGRADE_LINES = /\r\n(?:upgrade|http2-settings):[^\r]*/gi;

/**
 * Splits a connection into request heads and bodies, so that each head's host is authorized before any of that
 * request is forwarded.
 */
export class RequestReader {
  head: RequestHead | null = null;
  /** The head as forwarded, without upgrade fields. */
  headBytes: Buffer = NOTHING;
  /** The bytes that positions in `head` refer to. */
  rawHead: Buffer = NOTHING;
  /** After BODY: offset behind the body bytes in the chunk. */
  bodyEnd = 0;
  private held: Buffer = NOTHING;
  private bodyLeft = 0;
  private chunks: ChunkReader | null = null;
  private failed = false;

  /** True if the last request is complete and nothing of the next has arrived. */
  get isBetweenRequests(): boolean {
    return this.held.length === 0 && this.bodyLeft === 0 && this.chunks === null;
  }

  /** Continues in `chunk` from `start`. Call again from `next` until it returns MORE. */
  read(chunk: Buffer, start: number): RequestEvent {
    if (this.failed) return RequestEvent.MALFORMED;
    if (start >= chunk.length) return RequestEvent.MORE;
    if (this.chunks !== null) return this.readChunks(chunk, start);
    if (this.bodyLeft === 0) return this.readHead(chunk, start);
    const taken = Math.min(this.bodyLeft, chunk.length - start);
    this.bodyLeft -= taken;
    return this.give(RequestEvent.BODY, start + taken);
  }

  /** Offset behind the last event's bytes. */
  next = 0;

  private readHead(chunk: Buffer, start: number): RequestEvent {
    const before = this.held.length;
    const all = Buffer.concat([this.held, chunk.subarray(start)]);
    let from = 0;
    // Skip empty lines before a request (RFC 9112 section 2.2).
    while (from + 1 < all.length && all[from] === CR && all[from + 1] === LF) from += 2;
    const end = all.indexOf('\r\n\r\n', Math.max(from, before - 3), 'latin1');
    const length = (end < 0 ? all.length : end + 4) - from;
    if (length > MAX_HEAD_BYTES) return this.fail();
    if (end < 0) {
      this.held = all.subarray(from);
      const isRequest = length === 0 || looksLikeRequest(this.held);
      return isRequest ? this.give(RequestEvent.MORE, chunk.length) : this.fail();
    }
    this.held = NOTHING;
    this.rawHead = all.subarray(from, from + length);
    const text = this.rawHead.toString('latin1');
    this.head = readRequestHead(text);
    if (this.head === null) return this.fail();
    this.headBytes = Buffer.from(text.replace(UPGRADE_LINES, ''), 'latin1');
    const { body } = this.head;
    if (body.kind === 'chunked') this.chunks = new ChunkReader();
    else this.bodyLeft = body.bytes;
    return this.give(RequestEvent.HEAD, start + from + length - before);
  }

  private readChunks(chunk: Buffer, start: number): RequestEvent {
    const end = this.chunks!.read(chunk, start);
    if (end < 0) return this.fail();
    if (this.chunks!.isWhole) this.chunks = null;
    return this.give(RequestEvent.BODY, end);
  }

  private give(event: RequestEvent, next: number): RequestEvent {
    this.next = next;
    this.bodyEnd = next;
    return event;
  }

  private fail(): RequestEvent {
    this.failed = true;
    this.held = NOTHING;
    return RequestEvent.MALFORMED;
  }
}

/** A method starts with a letter, so other protocols are rejected by their first byte. */
function looksLikeRequest(bytes: Uint8Array): boolean {
  const byte = bytes[0] | 0x20;
  return bytes[0] === CR || (byte >= 0x61 && byte <= 0x7a);
}
