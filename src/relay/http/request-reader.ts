import { ChunkReader } from './chunk-reader.ts';
import { type RequestHead, readRequestHead } from './request-head.ts';

/** The longest head of a request; common servers refuse longer ones. */
export const MAX_HEAD_BYTES = 16_384;

/** What read found next. */
export const RequestEvent = {
  /** All bytes were taken. */
  MORE: 0,
  /** A head is whole: `head` and `headBytes` hold it. */
  HEAD: 1,
  /** Bytes of a body are whole up to `bodyEnd`. */
  BODY: 2,
  /** Not HTTP/1.x, or not in a way that all servers read alike. The reader takes no more. */
  MALFORMED: 3,
} as const;
export type RequestEvent = (typeof RequestEvent)[keyof typeof RequestEvent];

const CR = 0x0d;
const LF = 0x0a;
const NOTHING = Buffer.alloc(0);
/** Fields by which a client asks to speak another protocol from here on: hop by hop (RFC 9110, 7.8). */
const UPGRADE_LINES = /\r\n(?:upgrade|http2-settings):[^\r]*/gi;

/**
 * Takes the requests of one connection apart: head, body, head ... so that each head's host can be judged before
 * anything of that request goes out.
 */
export class RequestReader {
  head: RequestHead | null = null;
  /** The head's bytes as they go to the origin, which is not asked to upgrade. */
  headBytes: Buffer = NOTHING;
  /** The bytes that `head` tells of by their places. */
  rawHead: Buffer = NOTHING;
  /** BODY: the bytes of the chunk before this place belong to the body. */
  bodyEnd = 0;
  private held: Buffer = NOTHING;
  private bodyLeft = 0;
  private chunks: ChunkReader | null = null;
  private failed = false;

  /** Whether the last request is whole and nothing of a next one has come. */
  get isBetweenRequests(): boolean {
    return this.held.length === 0 && this.bodyLeft === 0 && this.chunks === null;
  }

  /**
   * Reads on in chunk from `start`; to be called again from `next` until it gives MORE.
   * @returns the event; `next` is where the bytes behind it start.
   */
  read(chunk: Buffer, start: number): RequestEvent {
    if (this.failed) return RequestEvent.MALFORMED;
    if (start >= chunk.length) return RequestEvent.MORE;
    if (this.chunks !== null) return this.readChunks(chunk, start);
    if (this.bodyLeft === 0) return this.readHead(chunk, start);
    const taken = Math.min(this.bodyLeft, chunk.length - start);
    this.bodyLeft -= taken;
    return this.give(RequestEvent.BODY, start + taken);
  }

  /** Where the bytes behind the last event start. */
  next = 0;

  private readHead(chunk: Buffer, start: number): RequestEvent {
    const before = this.held.length;
    const all = Buffer.concat([this.held, chunk.subarray(start)]);
    let from = 0;
    // RFC 9112, 2.2: an empty line before a request is passed over.
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

/** A method's first byte is a letter: what is no HTTP at all is known by it before its head would be whole. */
function looksLikeRequest(bytes: Uint8Array): boolean {
  const byte = bytes[0] | 0x20;
  return bytes[0] === CR || (byte >= 0x61 && byte <= 0x7a);
}
