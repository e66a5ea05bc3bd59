import { type Libc, requireLibc } from './libc.ts';

const POLLIN = 1;
/** POLLERR, POLLHUP and POLLNVAL: reported without being requested. */
const FAILURES = 0x8 | 0x10 | 0x20;

/**
 * Waits for packets on several sockets by poll(2). struct pollfd is two words: the descriptor, then events (low half) and
 * revents (high half).
 */
export class Poller {
  private readonly libc: Libc = requireLibc();
  private readonly descriptors: Int32Array;
  private readonly count: number;

  constructor(fds: readonly number[]) {
    this.count = fds.length;
    this.descriptors = new Int32Array(new SharedArrayBuffer(Math.max(fds.length * 8, 128)));
    for (const [i, fd] of fds.entries()) this.descriptors[i * 2] = fd;
  }

  /** @returns the number of ready sockets; 0 after timeoutMs, -1 after a signal. */
  wait(timeoutMs: number): number {
    for (let i = 0; i < this.count; i++) this.descriptors[i * 2 + 1] = POLLIN;
    return this.libc.poll(this.descriptors, this.count, timeoutMs);
  }

  /** True if socket i has a packet, or an error that a receive call clears. */
  isReady(i: number): boolean {
    return this.descriptors[i * 2 + 1] >>> 16 !== 0;
  }

  /** True if any socket has an error or is not open. */
  hasFailed(): boolean {
    for (let i = 0; i < this.count; i++) {
      if (((this.descriptors[i * 2 + 1] >>> 16) & FAILURES) !== 0) return true;
    }
    return false;
  }
}
