import { requireLibc } from './libc.ts';

/** The least that is allotted: small SharedArrayBuffers share no page that the kernel writes to. */
const MIN_BYTES = 128;

/**
 * Memory with an address that stays as it is, for system calls that are made too often to look it up each time.
 * It lives as long as it is referred to from JavaScript.
 */
export class Memory {
  readonly bytes: Uint8Array;
  /** User addresses are below 2^47: a number holds them. */
  readonly address: number;

  constructor(length: number) {
    this.bytes = new Uint8Array(new SharedArrayBuffer(Math.max(length, MIN_BYTES)));
    const [low, high] = requireLibc().addressOf(this.bytes);
    this.address = high * 0x1_0000_0000 + low;
  }
}
