import type { Family } from '../net/index.ts';

/** Cells of answer/answer-limit.ts, behind all others. */
export const ANSWER_LIMIT_CELLS = 65_536 + 8192;
const BUCKETS = 65536;
/** Behind the buckets stand the cells of open-budget.ts. */
export const OPEN_CELLS_START = BUCKETS;
const OPEN_CELLS = 8192 + 8;
export const ANSWER_CELLS_START = OPEN_CELLS_START + OPEN_CELLS;
const IPV6_SECOND_WORD_MASK = 0xffffff00;
/** Threads take the time once a batch, so that one may be behind another by as much. */
const BEHIND_MS = 1000;

export interface RateLimitOptions {
  /** Replies a second to one prefix, on average. */
  perSecond: number;
  /** Replies to one prefix at once. */
  burst: number;
}

/** Generic cell rate limiters (ITU-T I.371) in shared memory: of each one number, when it would be empty again. */
export class Cells {
  private readonly emptyAtMs: Float64Array;
  private readonly intervalMs: number;
  private readonly toleranceMs: number;

  constructor(memory: SharedArrayBuffer, options: RateLimitOptions) {
    this.emptyAtMs = new Float64Array(memory);
    this.intervalMs = 1000 / options.perSecond;
    this.toleranceMs = this.intervalMs * (options.burst - 1);
  }

  /** @param clock the time in ms, in memory: a number with a fraction would be allocated for the call */
  take(cell: number, clock: Float64Array): boolean {
    const emptyAt = this.emptyAtMs[cell];
    const wait = emptyAt - clock[0];
    // No cell is ever further ahead than this, unless the clock has gone back: then it is of no account.
    const full = this.toleranceMs + this.intervalMs + BEHIND_MS;
    if (wait <= 0 || wait > full) {
      this.emptyAtMs[cell] = clock[0] + this.intervalMs;
      return true;
    }
    if (wait > this.toleranceMs) return false;
    this.emptyAtMs[cell] = emptyAt + this.intervalMs;
    return true;
  }
}

/**
 * A hash of a source's prefix: IPv4 /24, IPv6 /56, for whoever forges one address of a network can forge them all.
 * @param source the address as words in host order; IPv4: the first alone
 */
export function prefixHash(family: number, source: ArrayLike<number>, seed: number): number {
  return family === 4
    ? hash(source[0] >>> 8, 0x34, seed)
    : hash(hash(source[0], 0x36, seed) ^ (source[1] & IPV6_SECOND_WORD_MASK), 0x36, seed);
}

/** A source as it is hashed: words in host order; IPv4 uses the first alone. */
export interface HashedSource {
  readonly family: Family;
  readonly words: ArrayLike<number>;
}

/**
 * Hash of a registered source, by which fair shares are counted: an IPv4 address or an IPv6 /64, as registrations are.
 * Neighbors in a /24 are different homes.
 */
export function homeHash({ family, words }: HashedSource, seed: number): number {
  const first = hash(words[0], 0x34 + family, seed);
  return family === 4 ? first : hash(first ^ words[1], 0x36, seed);
}

function hash(value: number, salt: number, seed: number): number {
  let h = Math.imul(value ^ seed, 0x85ebca6b) ^ salt;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * How many replies unregistered sources get, by prefix, so that the edge is of no use for reflection. The buckets are
 * shared by all threads and written without locks: a lost update lets one reply too many pass. Prefixes that fall into
 * one bucket share it; the seed is secret, so nobody can choose whom to share with.
 */
export class RateLimiter {
  /** All that threads share: its own buckets, and the cells of the open names' budget. */
  readonly memory: SharedArrayBuffer;
  private readonly cells: Cells;
  private readonly seed: number;

  constructor(memory: SharedArrayBuffer, options: RateLimitOptions, seed: number) {
    this.memory = memory;
    this.cells = new Cells(memory, options);
    this.seed = seed;
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer((ANSWER_CELLS_START + ANSWER_LIMIT_CELLS) * Float64Array.BYTES_PER_ELEMENT);
  }

  /**
   * Takes one reply's worth from the bucket of the source's prefix.
   * @param source the address as words in host order; IPv4: the first alone
   * @param clock the time in ms
   * @returns false where nothing is left.
   */
  take(family: number, source: Int32Array, clock: Float64Array): boolean {
    return this.cells.take(prefixHash(family, source, this.seed) & (BUCKETS - 1), clock);
  }
}
