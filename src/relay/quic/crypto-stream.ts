import {
  findServerName,
  HelloState,
  helloLength,
  MAX_HELLO_BYTES,
  type ServerName,
} from '../../net/hello/index.ts';
import { readVarint } from './varint.ts';

const PADDING = 0x00;
const PING = 0x01;
const ACK = 0x02;
const ACK_ECN = 0x03;
const CRYPTO = 0x06;
const CONNECTION_CLOSE = 0x1c;
/** Pieces may overlap and come in any order; no client needs this many. */
const MAX_PIECES = 128;

/**
 * Assembles the ClientHello from CRYPTO frames of one or more Initial packets, in any order (RFC 9000 section
 * 19.6): Chromium shuffles them.
 */
export class CryptoStream {
  /** Position of the name in `bytes`; valid once `read` returned NAMED. */
  readonly name: ServerName = { start: 0, end: 0 };
  bytes: Buffer = Buffer.alloc(0);
  private readonly pieces: { readonly offset: number; readonly data: Buffer }[] = [];

  /** Reads the frames of one Initial. */
  read(frames: Buffer): HelloState {
    for (let at = 0; at < frames.length; ) {
      const type = frames[at++];
      if (type === PADDING || type === PING) continue;
      const next =
        type === CRYPTO
          ? this.readCrypto(frames, at)
          : type === ACK || type === ACK_ECN
            ? skipAck(frames, at, type === ACK_ECN)
            : -1;
      if (next < 0) return type === CONNECTION_CLOSE ? HelloState.UNNAMED : HelloState.MALFORMED;
      at = next;
    }
    return this.assemble();
  }

  private readCrypto(frames: Buffer, at: number): number {
    const offset = readVarint(frames, at);
    const length = offset && readVarint(frames, offset.end);
    if (length === null) return -1;
    const end = length.end + length.value;
    const isTooMuch = offset!.value + length.value > MAX_HELLO_BYTES || this.pieces.length >= MAX_PIECES;
    if (end > frames.length || isTooMuch) return -1;
    this.pieces.push({ offset: offset!.value, data: Buffer.from(frames.subarray(length.end, end)) });
    return end;
  }

  private assemble(): HelloState {
    this.pieces.sort((a, b) => a.offset - b.offset);
    let end = 0;
    for (const { offset, data } of this.pieces) {
      if (offset > end) break;
      end = Math.max(end, offset + data.length);
    }
    if (end > this.bytes.length) {
      const whole = Buffer.alloc(end);
      for (const { offset, data } of this.pieces) if (offset < end) data.copy(whole, offset);
      this.bytes = whole;
    }
    const length = helloLength(this.bytes, 0, end);
    if (length < 0) return -length as HelloState;
    if (length === 0 || end < length) return HelloState.PARTIAL;
    if (end > length) return HelloState.MALFORMED;
    return findServerName(this.bytes, 0, end, this.name);
  }
}

/** Skips an ACK frame (RFC 9000 section 19.3). */
function skipAck(frames: Buffer, at: number, withEcn: boolean): number {
  const largest = readVarint(frames, at);
  const delay = largest && readVarint(frames, largest.end);
  const count = delay && readVarint(frames, delay.end);
  if (count === null) return -1;
  let end = count.end;
  for (let left = 1 + 2 * count.value + (withEcn ? 3 : 0); left > 0; left--) {
    const field = readVarint(frames, end);
    if (field === null) return -1;
    end = field.end;
  }
  return end;
}
