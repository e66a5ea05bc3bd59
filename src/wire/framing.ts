import { readU16 } from './header.ts';

/** Bytes of the length that stands before each message on a stream (RFC 1035 4.2.2). */
export const LENGTH_BYTES = 2;
/** The longest message that a stream can carry. */
export const MAX_STREAM_MESSAGE_BYTES = 65535;

const EMPTY = new Uint8Array(0);

/** Who takes the messages of a stream: each stands in `bytes` from `start` to `end`, during the call. */
export interface MessageSink {
  message(bytes: Uint8Array, start: number, end: number): void;
}

/**
 * Cuts a stream into messages, however its bytes arrive (RFC 7766 8): a length in two reads, many
 * messages in one. Holds at most one unfinished message.
 */
export class StreamFramer {
  private buffer: Uint8Array;
  private used = 0;
  private readonly maxMessageBytes: number;
  /** Set when a length above maxMessageBytes was announced; nothing more is read then. */
  oversized = false;

  /** @param maxMessageBytes the longest message to take, in bytes. */
  constructor(maxMessageBytes: number = MAX_STREAM_MESSAGE_BYTES) {
    this.maxMessageBytes = maxMessageBytes;
    this.buffer = EMPTY;
  }

  /** Bytes of an unfinished message that are held. */
  get pendingBytes(): number {
    return this.used;
  }

  /**
   * Takes what was read and calls `onMessage` for each whole message, in order. A message is valid during
   * the call only, and may be written to.
   */
  push(chunk: Uint8Array, onMessage: (message: Uint8Array) => void): void {
    this.feed(chunk, chunk.length, {
      message: (bytes, start, end) => onMessage(bytes.subarray(start, end)),
    });
  }

  /** Takes the first `size` bytes of `chunk` and gives `sink` each whole message, in order; no byte is copied. */
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
