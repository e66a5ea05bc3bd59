/** Fills `bytes` with unpredictable bytes, as crypto.randomFillSync does. */
export type FillRandom = (bytes: Uint8Array) => void;

const BLOCK_BYTES = 4096;

/**
 * Unpredictable numbers, fetched from the system in blocks: a call for each ID, port and letter would cost
 * more than the query.
 */
export class RandomSource {
  private readonly block = new Uint8Array(BLOCK_BYTES);
  private readonly fill: FillRandom;
  private used = BLOCK_BYTES;

  constructor(fill: FillRandom) {
    this.fill = fill;
  }

  byte(): number {
    if (this.used === BLOCK_BYTES) {
      this.fill(this.block);
      this.used = 0;
    }
    const value = this.block[this.used];
    // Used bytes must not stay in memory.
    this.block[this.used++] = 0;
    return value;
  }

  /** 0 to 65,535. */
  u16(): number {
    return (this.byte() << 8) | this.byte();
  }

  /** An index below `count`, which is at most 65,536. The bias is below count / 2^24. */
  below(count: number): number {
    return Math.floor((((this.u16() << 8) | this.byte()) / 0x1000000) * count);
  }

  /**
   * Gives the lower-case letters of bytes[from, to) a random case (0x20). Length bytes are below 64, never letters.
   */
  mixCase(bytes: Uint8Array, from: number, to: number): void {
    let bits = 0;
    let left = 0;
    for (let at = from; at < to; at++) {
      if (bytes[at] < 0x61 || bytes[at] > 0x7a) continue;
      if (left === 0) {
        bits = this.byte();
        left = 8;
      }
      if (bits & 1) bytes[at] &= 0xdf;
      bits >>>= 1;
      left--;
    }
  }

  /** Varies `value` by up to a tenth, so that timers of many questions spread. */
  jitter(value: number): number {
    return value * (0.9 + (this.u16() / 0xffff) * 0.2);
  }
}
