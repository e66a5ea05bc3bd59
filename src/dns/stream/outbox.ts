import type { Channel } from './channel.ts';

/** Room for more than the longest reply with what a transport puts around it. */
const CAPACITY = 128 * 1024;
/** Most writes are shorter: a view of each such length is made once. */
const KEPT_VIEWS = 1024;

/**
 * Where one thread gathers what it answers within one read of a connection, so that it is written at once: one system
 * call, and over TLS few records.
 */
export class Outbox {
  /** What is gathered; `reserve` says where the next bytes go. */
  readonly bytes = new Uint8Array(CAPACITY);
  private readonly views: Uint8Array[] = [];
  private used = 0;
  private channel: Channel | null = null;

  constructor() {
    for (let length = 0; length < KEPT_VIEWS; length++) this.views.push(this.bytes.subarray(0, length));
  }

  /** Makes room for `length` bytes to this channel, up to 100,000. @returns where they stand in `bytes` */
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

  /** Gives back the end of what was reserved last. */
  trim(length: number): void {
    this.used -= length;
  }

  /** Writes what was gathered. */
  flush(): void {
    const { channel, used } = this;
    if (channel === null) return;
    this.channel = null;
    this.used = 0;
    if (used > 0) channel.write(used < KEPT_VIEWS ? this.views[used]! : this.bytes.subarray(0, used));
  }
}
