import { requireLibc } from './libc.ts';
import { excludeFromDumps } from './seal.ts';

/** Minimum allocation, so that small SharedArrayBuffers never share a page that the kernel writes to. */
const MIN_BYTES = 128;

/**
 * Memory with a fixed, known address, for system calls that are too frequent to look it up each time. It lives for as
 * long as JavaScript references it.
 */
export class Memory {
  readonly bytes: Uint8Array;
  /** A JavaScript number holds the address exactly: user addresses are below 2^47. */
  readonly address: number;

  constructor(length: number) {
    const memory = new SharedArrayBuffer(Math.max(length, MIN_BYTES));
    excludeFromDumps(memory);
    this.bytes = new Uint8Array(memory);
    const [low, high] = requireLibc().addressOf(this.bytes);
    this.address = high * 0x1_0000_0000 + low;
  }
}
