import type { Family } from '../net/index.ts';

/** Cells of answer/answer-limit.ts, behind all others. */
export const ANSWER_LIMIT_CELLS = 65_536 + 8192;
const BUCKETS = 65536;
/** Behind the buckets stand the cells of open-budget.ts. */
export const OPEN_CELLS_START = BUCKETS;
const OPEN_CELLS = 8192 + 8;
export const ANSWER_CELLS_START = OPEN_CELLS_START + OPEN_CELLS;
const IPV6_SECOND_WORD_MASK = 0xffffff00;
/** Threads read the clock once a batch, so one may lag behind another by this much. */
const BEHIND_MS = 1000;

export interface RateLimitOptions {
  /** Sustained replies a second to one prefix. */
  perSecond: number;
  /** Replies to one prefix in a burst. */
  burst: number;
}

/**
 * Generic cell rate limiters (ITU-T I.371) in shared memory: one number each, the time when it would be empty again.
 */
export class Cells {
  private readonly emptyAtMs: Float64Array;
  private readonly intervalMs: number;
  private readonly toleranceMs: number;

  constructor(memory: SharedArrayBuffer, options: RateLimitOptions) {
    this.emptyAtMs = new Float64Array(memory);
    this.intervalMs = 1000 / options.perSecond;
    this.toleranceMs = this.intervalMs * (options.burst - 1);
  }

  /** @param clock ms, in memory: a fractional number as an argument would be allocated */
  take(cell: number, clock: Float64Array): boolean {
    const emptyAt = this.emptyAtMs[cell];
    const wait = emptyAt - clock[0];
    // Further ahead than possible: the clock went back.
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
 * Hash of a source's prefix, IPv4 /24 or IPv6 /56: an attacker that can forge one address of a network can forge them
 * all.
 * @param source words in host order; IPv4 uses the first alone
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
 * Limits replies to unregistered sources by prefix, so that the edge is useless for reflection. Threads share the
 * buckets and write without locks: a lost update lets one reply too many pass. Prefixes with the same bucket share
 * it; the seed is secret, so nobody can choose whom to share with.
 */
export class RateLimiter {
  /** Shared by all threads: its buckets, and the cells of OpenBudget and AnswerLimit. */
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
   * Takes one reply from the bucket of the source's prefix.
   * @param source words in host order; IPv4 uses the first alone
   * @param clock ms
   * @returns false if the bucket is empty
   */
  take(family: number, source: Int32Array, clock: Float64Array): boolean {
    return this.cells.take(prefixHash(family, source, this.seed) & (BUCKETS - 1), clock);
  }
}
