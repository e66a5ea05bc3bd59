const BUCKETS = 65536;
const IPV6_SECOND_WORD_MASK = 0xffffff00;
/** Threads take the time once a batch, so that one may be behind another by as much. */
const BEHIND_MS = 1000;

export interface RateLimitOptions {
  /** Replies a second to one prefix, on average. */
  perSecond: number;
  /** Replies to one prefix at once. */
  burst: number;
}

/**
 * How many replies unregistered sources get, so that the edge is of no use for reflection: by prefix (IPv4
 * /24, IPv6 /56), for whoever forges one address of a network can forge them all. A generic cell rate
 * limiter (ITU-T I.371): one number a bucket, the time at which it would be empty again. The buckets are shared by all
 * threads and written without locks: a lost update lets one reply too many pass. Prefixes that fall into
 * one bucket share it; the seed is secret, so nobody can choose whom to share with.
 */
export class RateLimiter {
  private readonly emptyAtMs: Float64Array;
  private readonly intervalMs: number;
  private readonly toleranceMs: number;
  private readonly seed: number;

  constructor(memory: SharedArrayBuffer, options: RateLimitOptions, seed: number) {
    this.emptyAtMs = new Float64Array(memory);
    this.intervalMs = 1000 / options.perSecond;
    this.toleranceMs = this.intervalMs * (options.burst - 1);
    this.seed = seed;
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(BUCKETS * Float64Array.BYTES_PER_ELEMENT);
  }

  /**
   * Takes one reply's worth from the bucket of the source's prefix.
   * @param source the address as words in host order; IPv4: the first alone
   * @param clock the time in ms, in memory: a number with a fraction would be allocated for the call
   * @returns false where nothing is left.
   */
  take(family: number, source: Int32Array, clock: Float64Array): boolean {
    const hash =
      family === 4
        ? this.hash(source[0] >>> 8, 0x34)
        : this.hash(this.hash(source[0], 0x36) ^ (source[1] & IPV6_SECOND_WORD_MASK), 0x36);
    const bucket = hash & (BUCKETS - 1);
    const emptyAt = this.emptyAtMs[bucket];
    const wait = emptyAt - clock[0];
    // No bucket is ever further ahead than this, unless the clock has gone back: then it is of no account.
    const full = this.toleranceMs + this.intervalMs + BEHIND_MS;
    if (wait <= 0 || wait > full) {
      this.emptyAtMs[bucket] = clock[0] + this.intervalMs;
      return true;
    }
    if (wait > this.toleranceMs) return false;
    this.emptyAtMs[bucket] = emptyAt + this.intervalMs;
    return true;
  }

  private hash(value: number, salt: number): number {
    let h = Math.imul(value ^ this.seed, 0x85ebca6b) ^ salt;
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return h ^ (h >>> 16);
  }
}
