import type { Channel } from './channel.ts';

/** More than the longest reply with its framing. */
const CAPACITY = 128 * 1024;
/** Views for writes shorter than this are made once; most writes are. */
const KEPT_VIEWS = 1024;

/**
 * Collects the replies to one read of a connection, so that they leave in one write: one system call, and over TLS few
 * records. One per thread.
 */
export class Outbox {
  /** Write replies here, at the offsets that `reserve` returns. */
  readonly bytes = new Uint8Array(CAPACITY);
  private readonly views: Uint8Array[] = [];
  private used = 0;
  private channel: Channel | null = null;

  constructor() {
    for (let length = 0; length < KEPT_VIEWS; length++) this.views.push(this.bytes.subarray(0, length));
  }

  /** Reserves up to 100,000 bytes for `channel`; flushes another channel's first. @returns their offset in `bytes` */
  reserve(channel: Channel, length: number): number {
    if (channel !== this.channel) {
      this.flush();
      this.channel = channel;
    } else if (this.used + length > CAPACITY) {
      this.flush();
      this.channel = channel;
    }
    const at = this.used;
    this.used += length;
    return at;
  }

  /** Returns the last `length` bytes of the latest reservation. */
  trim(length: number): void {
    this.used -= length;
  }

  /** Writes everything collected. */
  flush(): void {
    const { channel, used } = this;
    if (channel === null) return;
    this.channel = null;
    this.used = 0;
    if (used > 0) channel.write(used < KEPT_VIEWS ? this.views[used]! : this.bytes.subarray(0, used));
  }
}
