import { addressFromBytes } from '../../net/index.ts';
import { type ClientSource, sourceOf } from '../source.ts';

/** RFC 8999, 5: the bit of a packet's first byte that says that its header is long. */
const LONG_HEADER_BIT = 0x80;

/** A datagram of a client, and where it came from. One object serves for all that a thread takes. */
export class Datagram {
  /** Holds the datagram in [0, length). */
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;
  /** The slot of the batch that `bytes` is of, -1 where it is of none. */
  slot = -1;
  /** The listener that it came to. */
  listener = 0;
  family: 4 | 6 = 4;
  /** The source's address in host order; IPv4 uses the first word alone. */
  readonly words = new Uint32Array(4);
  port = 0;

  get isLong(): boolean {
    return (this.bytes[0] & LONG_HEADER_BIT) !== 0;
  }

  /** Its bytes in memory of their own. */
  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.length));
  }

  /** Where it came from. */
  source(): ClientSource {
    const bytes = new Uint8Array(this.family === 4 ? 4 : 16);
    const view = new DataView(bytes.buffer);
    for (let word = 0; word < bytes.length / 4; word++) view.setUint32(word * 4, this.words[word]);
    return sourceOf(addressFromBytes(bytes));
  }
}
