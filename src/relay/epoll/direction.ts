import { constants } from 'node:os';
import { type Memory, shutdownWrite, type TcpTransfer } from '../../sys/index.ts';
import type { Side } from './side.ts';
import { SLAB_BYTES, type Slabs } from './slabs.ts';

/** What a direction waits for. */
export const Pumped = {
  /** An event of one of its sockets. */
  WAITS: 0,
  /** Nothing: it let others in between. */
  AGAIN: 1,
  /** It has ended: all was carried, and the reader knows. */
  ENDED: 2,
  /** One of the sockets broke off. */
  FAILED: 3,
} as const;
export type Pumped = (typeof Pumped)[keyof typeof Pumped];

/** What a direction carries before other tunnels have their turn. */
export interface Pace {
  readonly reads: number;
  readonly readBytes: number;
}
export const FULL: Pace = { reads: 8, readBytes: SLAB_BYTES };
/** Where octets are counted against a limit: so that little passes before they are. */
export const GENTLE: Pace = { reads: 1, readBytes: 16_384 };
const EAGAIN = -constants.errno.EAGAIN;

/** What one side sends, on its way to the other. */
export class Direction {
  /** Octets read so far. */
  bytes = 0;
  private readonly from: Side;
  private readonly to: Side;
  /** Holds what was read and not yet taken, in [start, end). */
  private slab: Memory | null = null;
  private start = 0;
  private end = 0;
  private hasEnded = false;
  private isFinished = false;

  constructor(from: Side, to: Side) {
    this.from = from;
    this.to = to;
  }

  /** Puts octets before all that will be read, less than a slab. To be called once, first. */
  begin(parts: readonly Uint8Array[], slabs: Slabs, transfer: TcpTransfer): Pumped {
    let length = 0;
    for (const part of parts) {
      slabs.current.bytes.set(part, length);
      length += part.length;
    }
    this.bytes += length;
    return this.sendCurrent(length, slabs, transfer);
  }

  pump(slabs: Slabs, transfer: TcpTransfer, pace: Pace): Pumped {
    const { from, to } = this;
    if (this.isFinished) return Pumped.ENDED;
    for (let reads = 0; reads < pace.reads; reads++) {
      if (!to.writable) return Pumped.WAITS;
      if (this.slab !== null && !this.flush(slabs, transfer)) return to.gone ? Pumped.FAILED : Pumped.WAITS;
      if (this.hasEnded) return this.finish();
      if (!from.readable) return Pumped.WAITS;
      const count = transfer.receive(from.fd, slabs.current.address, pace.readBytes);
      if (count === 0) this.hasEnded = true;
      else if (count < 0) {
        if (count !== EAGAIN) return Pumped.FAILED;
        from.readable = false;
      } else {
        // A short read has emptied the queue: what comes next is told of.
        if (count < pace.readBytes && !from.ending) from.readable = false;
        this.bytes += count;
        const sent = this.sendCurrent(count, slabs, transfer);
        if (sent !== Pumped.AGAIN) return sent;
      }
    }
    return Pumped.AGAIN;
  }

  /** Gives back what it holds. */
  drop(slabs: Slabs): void {
    if (this.slab !== null) slabs.give(this.slab);
    this.slab = null;
  }

  private sendCurrent(length: number, slabs: Slabs, transfer: TcpTransfer): Pumped {
    const sent = transfer.send(this.to.fd, slabs.current.address, length);
    if (sent === length) return Pumped.AGAIN;
    if (sent < 0 && sent !== EAGAIN) return Pumped.FAILED;
    this.to.writable = false;
    this.slab = slabs.take();
    this.start = Math.max(sent, 0);
    this.end = length;
    return Pumped.WAITS;
  }

  /** @returns whether all that is held was taken. */
  private flush(slabs: Slabs, transfer: TcpTransfer): boolean {
    const slab = this.slab!;
    const sent = transfer.send(this.to.fd, slab.address + this.start, this.end - this.start);
    if (sent < 0) {
      if (sent !== EAGAIN) this.to.gone = true;
      this.to.writable = false;
      return false;
    }
    this.start += sent;
    if (this.start < this.end) {
      this.to.writable = false;
      return false;
    }
    this.drop(slabs);
    return true;
  }

  private finish(): Pumped {
    this.isFinished = true;
    shutdownWrite(this.to.fd);
    return Pumped.ENDED;
  }
}
