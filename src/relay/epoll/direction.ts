import { constants } from 'node:os';
import { type Memory, type Pipe, shutdownWrite, type TcpTransfer } from '../../sys/index.ts';
import { PIPE_BYTES, type Pipes } from './pipes.ts';
import type { Reactor } from './reactor.ts';
import type { Side } from './side.ts';
import { SLAB_BYTES, type Slabs } from './slabs.ts';

/** Result of pumping a direction. */
export const Pumped = {
  /** Blocked until an event of one of its sockets. */
  WAITS: 0,
  /** Has more to do, but used its quota. */
  AGAIN: 1,
  /** Everything was carried. */
  ENDED: 2,
  /** One of the sockets failed. */
  FAILED: 3,
} as const;
export type Pumped = (typeof Pumped)[keyof typeof Pumped];

/** Work per turn, so that other tunnels get theirs. */
export interface PumpQuota {
  readonly reads: number;
  readonly readBytes: number;
}
export const FULL_QUOTA: PumpQuota = { reads: 8, readBytes: SLAB_BYTES };
/** For sources with a byte rate: little may pass before it is counted. */
export const LIMITED_QUOTA: PumpQuota = { reads: 1, readBytes: 16_384 };
const EAGAIN = -constants.errno.EAGAIN;
const EINVAL = -constants.errno.EINVAL;
/** Smaller reads are copied: that takes one system call less than splice. */
const BULK_BYTES = 16_384;

/** A thread's buffers and system calls for pumping. */
export interface PumpContext {
  readonly slabs: Slabs;
  readonly pipes: Pipes;
  readonly transfer: TcpTransfer;
  readonly reactor: Reactor;
}

/** One direction of a tunnel: what `from` sends goes to `to`. */
export class Direction {
  /** Bytes read since the tunnel last counted them. */
  bytes = 0;
  private readonly from: Side;
  private readonly to: Side;
  /** Bytes read but not yet sent, in [start, end). */
  private slab: Memory | null = null;
  /** Pipe for bulk data, and the number of bytes in it. */
  private pipe: Pipe | null = null;
  private piped = 0;
  /** True while reads are large enough for splice to be cheaper than copying. */
  private isBulk = false;
  private start = 0;
  private end = 0;
  private hasEnded = false;
  private isFinished = false;
  private isTold = false;

  constructor(from: Side, to: Side) {
    this.from = from;
    this.to = to;
  }

  /** Sends memory[0, length) before anything that is read; what does not fit is kept. Call once, first. */
  begin(memory: Memory, length: number, context: PumpContext): Pumped {
    const { slabs, transfer } = context;
    this.bytes += length;
    const sent = transfer.send(this.to.fd, memory.address, length);
    if (sent === length) return Pumped.AGAIN;
    if (sent < 0 && sent !== EAGAIN) return Pumped.FAILED;
    if (memory !== slabs.current) slabs.current.bytes.set(memory.bytes.subarray(0, length));
    this.keep(sent, length, context);
    return Pumped.WAITS;
  }

  pump(context: PumpContext, quota: PumpQuota): Pumped {
    const { from, to } = this;
    if (this.isFinished) return Pumped.ENDED;
    for (let reads = 0; reads < quota.reads; reads++) {
      if (!to.writable) return this.wait(context);
      if (this.slab !== null && !this.flush(context)) return to.gone ? Pumped.FAILED : Pumped.WAITS;
      if (this.piped > 0) {
        const drained = this.drain(context);
        if (drained !== Pumped.AGAIN) return drained;
      }
      if (this.hasEnded) return this.finish(context);
      if (!from.readable) return this.wait(context);
      const moved = this.usesPipe(context, quota) ? this.splice(context) : this.copy(context, quota);
      if (moved !== Pumped.AGAIN) return moved;
    }
    return Pumped.AGAIN;
  }

  /** Returns its buffers to the pools. */
  drop({ slabs, pipes }: PumpContext): void {
    if (this.slab !== null) slabs.give(this.slab);
    this.slab = null;
    if (this.pipe !== null) pipes.give(this.pipe, this.piped === 0);
    this.pipe = null;
    this.piped = 0;
  }

  /** Blocked until the next event. Keep buffered bytes; return an empty pipe to the pool. */
  private wait({ pipes }: PumpContext): Pumped {
    if (this.pipe !== null && this.piped === 0) {
      pipes.give(this.pipe, true);
      this.pipe = null;
    }
    return Pumped.WAITS;
  }

  private usesPipe({ pipes }: PumpContext, quota: PumpQuota): boolean {
    if (!this.isBulk || quota !== FULL_QUOTA) return false;
    this.pipe ??= pipes.take();
    return this.pipe !== null;
  }

  private splice({ transfer }: PumpContext): Pumped {
    const { from } = this;
    const count = transfer.spliceIn(from.fd, this.pipe!, PIPE_BYTES);
    if (count > 0) {
      this.bytes += count;
      this.piped = count;
      this.isBulk = count >= BULK_BYTES;
    } else if (count === 0) this.hasEnded = true;
    else if (count === EAGAIN) from.readable = false;
    else if (count === EINVAL) this.isBulk = false;
    else return Pumped.FAILED;
    return Pumped.AGAIN;
  }

  private copy(context: PumpContext, quota: PumpQuota): Pumped {
    const { from } = this;
    const { slabs, transfer } = context;
    const count = transfer.receive(from.fd, slabs.current.address, quota.readBytes);
    if (count > 0) {
      // A short read means an empty queue: an event announces the next bytes, if any can come.
      if (count < quota.readBytes) {
        if (from.complete) this.hasEnded = true;
        else if (!from.ending) from.readable = false;
      }
      this.bytes += count;
      this.isBulk = count >= BULK_BYTES;
      return this.sendCurrent(count, context);
    }
    if (count === 0) this.hasEnded = true;
    else if (count === EAGAIN) from.readable = false;
    else return Pumped.FAILED;
    return Pumped.AGAIN;
  }

  /** @returns AGAIN if the pipe is empty now */
  private drain(context: PumpContext): Pumped {
    const { to } = this;
    while (this.piped > 0) {
      const count = context.transfer.spliceOut(this.pipe!, to.fd, this.piped);
      if (count > 0) this.piped -= count;
      else if (count === EAGAIN) {
        to.blocked(context.reactor);
        return Pumped.WAITS;
      } else return Pumped.FAILED;
    }
    return Pumped.AGAIN;
  }

  private sendCurrent(length: number, context: PumpContext): Pumped {
    const { slabs, transfer } = context;
    const sent = transfer.send(this.to.fd, slabs.current.address, length);
    if (sent === length) return Pumped.AGAIN;
    if (sent < 0 && sent !== EAGAIN) return Pumped.FAILED;
    this.keep(sent, length, context);
    return Pumped.WAITS;
  }

  /** Keeps the current slab, of which `length` bytes are to be sent and `sent` (or -EAGAIN) were. */
  private keep(sent: number, length: number, { slabs, reactor }: PumpContext): void {
    this.to.blocked(reactor);
    this.slab = slabs.take();
    this.start = Math.max(sent, 0);
    this.end = length;
  }

  /** @returns true if everything held was sent */
  private flush({ slabs, transfer, reactor }: PumpContext): boolean {
    const slab = this.slab!;
    const sent = transfer.send(this.to.fd, slab.address + this.start, this.end - this.start);
    if (sent < 0) {
      if (sent !== EAGAIN) this.to.gone = true;
      this.to.blocked(reactor);
      return false;
    }
    this.start += sent;
    if (this.start < this.end) {
      this.to.blocked(reactor);
      return false;
    }
    slabs.give(slab);
    this.slab = null;
    return true;
  }

  private finish(context: PumpContext): Pumped {
    this.isFinished = true;
    this.wait(context);
    return Pumped.ENDED;
  }

  /** Passes the end on to the reader, once. Not needed if both sockets are about to be closed. */
  tellEnd(): void {
    if (!this.isFinished || this.isTold) return;
    this.isTold = true;
    shutdownWrite(this.to.fd);
  }
}
