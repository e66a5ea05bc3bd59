import {
  ANSWER_CELLS_START,
  ANSWER_LIMIT_CELLS,
  type HashedSource,
  homeHash,
  prefixHash,
} from '../rate-limit.ts';

/** Bytes of IP and UDP headers, which count on both sides. */
const HEADERS_IPV4 = 28;
const HEADERS_IPV6 = 48;
/** Threads read the clock once a batch, so one may lag behind another by this much. */
const BEHIND_MS = 1000;
/** More than any UDP answer with its headers. */
const MAX_ANSWER_BYTES = 2048;
const PROOFS = 8192;
const BUCKETS = ANSWER_LIMIT_CELLS - PROOFS;

export interface AnswerLimitOptions {
  /** Sustained bytes of UDP answers to one prefix. */
  readonly bytesPerSecond: number;
  /** Bytes of UDP answers in a burst. */
  readonly burstBytes: number;
}

export const DEFAULT_ANSWER_LIMIT: AnswerLimitOptions = { bytesPerSecond: 262_144, burstBytes: 1_048_576 };

/**
 * Makes UDP answers worthless for reflection, even at registered addresses: a token bucket of bytes per IPv4
 * /24 or IPv6 /56 in shared memory. Answers of at most 1.5 times the query are free. Written without locks: a lost update
 * lets a few bytes too many pass. Nothing is allocated.
 */
export class AnswerLimit {
  /** Buckets (GCRA): the time when each is empty again, in ms. Then fingerprints of proved sources. */
  private readonly cells: Float64Array;
  private readonly msPerByte: number;
  private readonly toleranceMs: number;
  private readonly fullMs: number;
  private readonly seed: number;

  /** @param memory as RateLimiter.allocate made it, shared by all threads */
  constructor(memory: SharedArrayBuffer, options: AnswerLimitOptions, seed: number) {
    this.cells = new Float64Array(
      memory,
      ANSWER_CELLS_START * Float64Array.BYTES_PER_ELEMENT,
      ANSWER_LIMIT_CELLS,
    );
    this.msPerByte = 1000 / options.bytesPerSecond;
    this.toleranceMs = options.burstBytes * this.msPerByte;
    this.fullMs = this.toleranceMs + MAX_ANSWER_BYTES * this.msPerByte + BEHIND_MS;
    this.seed = seed;
  }

  /** True if the answer is at most 1.5 times the query, counted with IP and UDP headers. */
  isFree(family: number, queryBytes: number, answerBytes: number): boolean {
    const headers = family === 4 ? HEADERS_IPV4 : HEADERS_IPV6;
    return 2 * (answerBytes + headers) <= 3 * (queryBytes + headers);
  }

  /** Takes an answer from the bucket of the source's prefix. @param clock ms, in memory @returns false if it is empty */
  take({ family, words }: HashedSource, answerBytes: number, clock: Float64Array): boolean {
    const cell = prefixHash(family, words, this.seed) & (BUCKETS - 1);
    const cost = (answerBytes + (family === 4 ? HEADERS_IPV4 : HEADERS_IPV6)) * this.msPerByte;
    const wait = this.cells[cell]! - clock[0]!;
    // Further ahead than possible: the clock went back.
    if (wait <= 0 || wait > this.fullMs) {
      this.cells[cell] = clock[0]! + cost;
      return true;
    }
    if (wait + cost > this.toleranceMs) return false;
    this.cells[cell]! += cost;
    return true;
  }

  /** Notes that something unforgeable came from the source: a stream or a valid cookie. */
  prove(source: HashedSource): void {
    const hash = homeHash(source, this.seed);
    this.cells[BUCKETS + (hash & (PROOFS - 1))] = fingerprint(hash);
  }

  /** True if the source has proved its address here. Others may have displaced its proof since. */
  isProved(source: HashedSource): boolean {
    const hash = homeHash(source, this.seed);
    return this.cells[BUCKETS + (hash & (PROOFS - 1))] === fingerprint(hash);
  }
}

/** Never 0, which marks an empty cell. */
function fingerprint(hash: number): number {
  return (hash >>> 0) + 1;
}
