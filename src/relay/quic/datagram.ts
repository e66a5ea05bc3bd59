import { addressFromBytes } from '../../net/index.ts';
import { type ClientSource, sourceOf } from '../source.ts';

/** Header form bit of a packet's first byte (RFC 8999 section 5). */
const LONG_HEADER_BIT = 0x80;

/** A client's datagram and its sender. The thread reuses one object. */
export class Datagram {
  /** Holds the datagram in [0, length). */
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;
  /** Batch slot that `bytes` belongs to, or -1. */
  slot = -1;
  /** Index of the listener that received it. */
  listener = 0;
  family: 4 | 6 = 4;
  /** Sender's address in host order; IPv4 uses the first word alone. */
  readonly words = new Uint32Array(4);
  port = 0;

  get isLong(): boolean {
    return (this.bytes[0] & LONG_HEADER_BIT) !== 0;
  }

  /** Copies the bytes. */
  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.length));
  }

  /** The sender as a source. */
  source(): ClientSource {
    const bytes = new Uint8Array(this.family === 4 ? 4 : 16);
    const view = new DataView(bytes.buffer);
    for (let word = 0; word < bytes.length / 4; word++) view.setUint32(word * 4, this.words[word]);
    return sourceOf(addressFromBytes(bytes));
  }
}
