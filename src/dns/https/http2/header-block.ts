import { MAX_HEAD_BYTES } from '../request-head.ts';

/** Frames of one block; clients send more only to keep a server busy (CVE-2024-27316). */
const MAX_FRAMES = 16;

/** A header block in several frames (RFC 9113 4.3): HEADERS without END_HEADERS, then CONTINUATION. */
export class HeaderBlock {
  readonly streamId: number;
  readonly endsStream: boolean;
  bytes: Uint8Array;
  private frames = 1;

  constructor(streamId: number, endsStream: boolean, bytes: Uint8Array) {
    this.streamId = streamId;
    this.endsStream = endsStream;
    this.bytes = bytes;
  }

  /** @returns false if the block becomes too long or has too many frames */
  append(bytes: Uint8Array, start: number, end: number): boolean {
    const length = this.bytes.length + end - start;
    if (++this.frames > MAX_FRAMES || length > MAX_HEAD_BYTES) return false;
    const larger = new Uint8Array(length);
    larger.set(this.bytes);
    larger.set(bytes.subarray(start, end), this.bytes.length);
    this.bytes = larger;
    return true;
  }
}
