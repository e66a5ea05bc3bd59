import { readU16 } from './header.ts';

/** Size of the length field before each message on a stream (RFC 1035 4.2.2). */
export const LENGTH_BYTES = 2;
/** Longest message that a stream can carry. */
export const MAX_STREAM_MESSAGE_BYTES = 65535;

const EMPTY = new Uint8Array(0);

/** Receives the messages of a stream: bytes[start, end), valid during the call only. */
export interface MessageSink {
  message(bytes: Uint8Array, start: number, end: number): void;
}

/**
 * Cuts a stream into messages, however its bytes arrive (RFC 7766 8): a length field in two reads, many messages in one.
 * Buffers at most one unfinished message.
 */
export class StreamFramer {
  private buffer: Uint8Array;
  private used = 0;
  private readonly maxMessageBytes: number;
  /** Set once a length above maxMessageBytes arrives; later input is ignored. */
  oversized = false;

  /** @param maxMessageBytes the longest message to take, in bytes. */
  constructor(maxMessageBytes: number = MAX_STREAM_MESSAGE_BYTES) {
    this.maxMessageBytes = maxMessageBytes;
    this.buffer = EMPTY;
  }

  /** Buffered bytes of an unfinished message. */
  get pendingBytes(): number {
    return this.used;
  }

  /**
   * Feeds a chunk and calls `onMessage` for each whole message, in order. A message is valid during the call only, and may
   * be written to.
   */
  push(chunk: Uint8Array, onMessage: (message: Uint8Array) => void): void {
    this.feed(chunk, chunk.length, {
      message: (bytes, start, end) => onMessage(bytes.subarray(start, end)),
    });
  }

  /** Feeds chunk[0, size) and passes each whole message to `sink`, in order, without copying those that arrive whole. */
  feed(chunk: Uint8Array, size: number, sink: MessageSink): void {
    if (this.oversized) return;
    let data = chunk;
    let limit = size;
    if (this.used > 0) {
      this.append(chunk, size);
      data = this.buffer;
      limit = this.used;
    }
    let at = 0;
    while (limit - at >= LENGTH_BYTES) {
      const length = readU16(data, at);
      if (length > this.maxMessageBytes) {
        this.oversized = true;
        this.used = 0;
        return;
      }
      if (limit - at - LENGTH_BYTES < length) break;
      sink.message(data, at + LENGTH_BYTES, at + LENGTH_BYTES + length);
      at += LENGTH_BYTES + length;
    }
    this.keep(data, at, limit);
  }

  private append(chunk: Uint8Array, size: number): void {
    const needed = this.used + size;
    if (needed > this.buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.buffer.length * 2));
      larger.set(this.buffer.subarray(0, this.used));
      this.buffer = larger;
    }
    this.buffer.set(size === chunk.length ? chunk : chunk.subarray(0, size), this.used);
    this.used = needed;
  }

  private keep(data: Uint8Array, from: number, limit: number): void {
    if (from === limit) {
      this.used = 0;
      this.buffer = EMPTY;
      return;
    }
    if (from === 0 && data === this.buffer) return;
    this.buffer = new Uint8Array(data.subarray(from, limit));
    this.used = limit - from;
  }
}
