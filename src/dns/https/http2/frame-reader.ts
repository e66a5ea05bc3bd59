import { FRAME_HEADER_BYTES, Frame, MAX_FRAME_BYTES, readU31 } from './frame.ts';

/** The first bytes of a client (RFC 9113 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const NOTHING = new Uint8Array(0);
const FIRST_BYTES = 256;
/** Reused for every frame of the thread: frames are delivered one at a time. */
const current = new Frame();

export interface FrameSink {
  /** Receives a frame, valid during the call. @returns false to read no more */
  frame(frame: Frame): boolean;
  /** The connection does not begin with the preface; nothing more is read. */
  notHttp2(): void;
  /** A frame is longer than MAX_FRAME_BYTES; nothing more is read. */
  tooLong(): void;
}

/** Splits the bytes of a connection into frames. Holds at most one incomplete frame. */
export class FrameReader {
  private held = NOTHING;
  /** Bytes of the incomplete frame. */
  pendingBytes = 0;
  private sawPreface = false;

  /** Reads the first `length` bytes of `chunk` and gives `sink` each whole frame, in order. */
  read(chunk: Uint8Array, length: number, sink: FrameSink): void {
    let bytes = chunk;
    let limit = length;
    if (this.pendingBytes > 0) {
      this.append(chunk, length);
      bytes = this.held;
      limit = this.pendingBytes;
    }
    let at = 0;
    if (!this.sawPreface) {
      at = this.readPreface(bytes, limit, sink);
      if (at < 0) return;
    }
    while (this.sawPreface && limit - at >= FRAME_HEADER_BYTES) {
      const size = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
      if (size > MAX_FRAME_BYTES) {
        this.pendingBytes = 0;
        sink.tooLong();
        return;
      }
      const start = at + FRAME_HEADER_BYTES;
      if (limit - start < size) break;
      current.type = bytes[at + 3]!;
      current.flags = bytes[at + 4]!;
      current.streamId = readU31(bytes, at + 5);
      current.bytes = bytes;
      current.start = start;
      current.end = start + size;
      if (!sink.frame(current)) {
        this.pendingBytes = 0;
        return;
      }
      at = start + size;
    }
    this.keep(bytes, at, limit);
  }

  /** @returns the offset of the first frame; -1 if the preface is wrong */
  private readPreface(bytes: Uint8Array, limit: number, sink: FrameSink): number {
    const length = Math.min(limit, PREFACE.length);
    for (let i = 0; i < length; i++) {
      if (bytes[i] === PREFACE[i]) continue;
      this.pendingBytes = 0;
      sink.notHttp2();
      return -1;
    }
    if (length < PREFACE.length) return 0;
    this.sawPreface = true;
    return PREFACE.length;
  }

  private append(chunk: Uint8Array, length: number): void {
    const needed = this.pendingBytes + length;
    if (needed > this.held.length) {
      const larger = new Uint8Array(Math.max(needed, this.held.length * 2, FIRST_BYTES));
      larger.set(this.held.subarray(0, this.pendingBytes));
      this.held = larger;
    }
    this.held.set(chunk.subarray(0, length), this.pendingBytes);
    this.pendingBytes = needed;
  }

  private keep(bytes: Uint8Array, from: number, limit: number): void {
    if (from === limit) {
      this.pendingBytes = 0;
      // Idle connections keep no buffer.
      this.held = NOTHING;
      return;
    }
    if (from === 0 && bytes === this.held) return;
    this.held = new Uint8Array(bytes.subarray(from, limit));
    this.pendingBytes = limit - from;
  }
}
