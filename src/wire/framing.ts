import { readU16 } from './header.ts';

/** Octets of the length that stands before each message on a stream (RFC 1035 4.2.2). */
export const LENGTH_BYTES = 2;
/** The longest message that a stream can carry. */
export const MAX_STREAM_MESSAGE_BYTES = 65535;

/**
 * Cuts a stream into messages, however its octets arrive (RFC 7766 8): a length in two reads, many
 * messages in one. Holds at most one unfinished message.
 */
export class StreamFramer {
  private buffer: Uint8Array;
  private used = 0;
  private readonly maxMessageBytes: number;
  /** Set when a length above maxMessageBytes was announced; nothing more is read then. */
  oversized = false;

  /** @param maxMessageBytes the longest message to take, in octets. */
  constructor(maxMessageBytes: number = MAX_STREAM_MESSAGE_BYTES) {
    this.maxMessageBytes = maxMessageBytes;
    this.buffer = new Uint8Array(0);
  }

  /** Octets of an unfinished message that are held. */
  get pendingBytes(): number {
    return this.used;
  }

  /**
   * Takes what was read and calls `onMessage` for each whole message, in order. A message is valid during
   * the call only, and may be written to.
   */
  push(chunk: Uint8Array, onMessage: (message: Uint8Array) => void): void {
    if (this.oversized) return;
    let data = chunk;
    if (this.used > 0) {
      this.append(chunk);
      data = this.buffer.subarray(0, this.used);
    }
    let at = 0;
    while (data.length - at >= LENGTH_BYTES) {
      const length = readU16(data, at);
      if (length > this.maxMessageBytes) {
        this.oversized = true;
        this.used = 0;
        return;
      }
      if (data.length - at - LENGTH_BYTES < length) break;
      onMessage(data.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
      at += LENGTH_BYTES + length;
    }
    this.keep(data, at);
  }

  private append(chunk: Uint8Array): void {
    const needed = this.used + chunk.length;
    if (needed > this.buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.buffer.length * 2));
      larger.set(this.buffer.subarray(0, this.used));
      this.buffer = larger;
    }
    this.buffer.set(chunk, this.used);
    this.used = needed;
  }

  private keep(data: Uint8Array, from: number): void {
    const rest = data.length - from;
    if (rest === 0) {
      this.used = 0;
      this.buffer = new Uint8Array(0);
      return;
    }
    if (from === 0 && data.buffer === this.buffer.buffer) return;
    this.buffer = Uint8Array.from(data.subarray(from));
    this.used = rest;
  }
}
