/** SipHash-2-4 (Aumasson and Bernstein, 2012) with a 64-bit result, in 32-bit halves. Allocates nothing. */
export class SipHash {
  private readonly key = new Int32Array(4);
  /** v0 to v3, the low half of each first. */
  private readonly v = new Int32Array(8);
  /** The last result, low half first. */
  readonly hash = new Int32Array(2);

  /** @param key 16 bytes */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, 16);
    for (let i = 0; i < 4; i++) this.key[i] = view.getInt32(i * 4, true);
  }

  /** Hashes message[0, length) into `hash`. */
  digest(message: Uint8Array, length: number): void {
    const { key, v } = this;
    for (let i = 0; i < 4; i++) {
      v[i] = key[i];
      v[4 + i] = key[i];
    }
    v[1] ^= 0x736f6d65;
    v[0] ^= 0x70736575;
    v[3] ^= 0x646f7261;
    v[2] ^= 0x6e646f6d;
    v[5] ^= 0x6c796765;
    v[4] ^= 0x6e657261;
    v[7] ^= 0x74656462;
    v[6] ^= 0x79746573;
    const whole = length & ~7;
    for (let at = 0; at < whole; at += 8)
      this.compress(word(message, at, length), word(message, at + 4, length));
    this.compress(word(message, whole, length), word(message, whole + 4, length) | (length << 24));
    v[4] ^= 0xff;
    for (let i = 0; i < 4; i++) this.round();
    this.hash[0] = v[0] ^ v[2] ^ v[4] ^ v[6];
    this.hash[1] = v[1] ^ v[3] ^ v[5] ^ v[7];
  }

  private compress(low: number, high: number): void {
    const { v } = this;
    v[6] ^= low;
    v[7] ^= high;
    this.round();
    this.round();
    v[0] ^= low;
    v[1] ^= high;
  }

  private round(): void {
    this.mix(0, 2, 13);
    this.swap(0);
    this.mix(4, 6, 16);
    this.mix(0, 6, 21);
    this.mix(4, 2, 17);
    this.swap(4);
  }

  /** v[a] += v[b]; v[b] = rotl(v[b], bits) ^ v[a]; bits below 32. */
  private mix(a: number, b: number, bits: number): void {
    const { v } = this;
    const low = (v[a] >>> 0) + (v[b] >>> 0);
    v[a + 1] = v[a + 1] + v[b + 1] + (low > 0xffffffff ? 1 : 0);
    v[a] = low;
    const bLow = v[b];
    const bHigh = v[b + 1];
    v[b] = ((bLow << bits) | (bHigh >>> (32 - bits))) ^ v[a];
    v[b + 1] = ((bHigh << bits) | (bLow >>> (32 - bits))) ^ v[a + 1];
  }

  /** Rotates by 32. */
  private swap(a: number): void {
    const { v } = this;
    const low = v[a];
    v[a] = v[a + 1];
    v[a + 1] = low;
  }
}

/** Four bytes, least significant first; bytes from `end` on count as zero. */
function word(message: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let i = 0; i < 4 && at + i < end; i++) value |= message[at + i] << (8 * i);
  return value;
}
