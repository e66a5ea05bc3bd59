/**
 * Shared memory between the resolver, which keeps health and policy, and the UDP threads, which forward plain misses by
 * themselves (dns/udp/forward). Everything else, and every question that is not answered plainly, goes to the resolver.
 *
 *     words 0 ..   policy, written by the resolver: see the *_WORD constants
 *          64 ..   a report for each thread, REPORT_WORDS each, written by that thread
 *                  slow questions: SLOW_SLOTS pairs (key, second at which it ends), written by all
 *                  pending questions: PENDING_BUCKETS of PENDING_WAYS pairs (key, second of the claim), written by all
 *
 * Keys are the cache's key hashes (cache/key.ts), seeded, so nobody outside can choose them. Words are read and written
 * without locks: a policy that mixes two publications only sends one question the old way.
 */

import { DEFAULT_TTL_LIMITS, type TtlLimits } from '../cache/index.ts';
import type { UpstreamConfig } from '../upstream/url.ts';

/** Threads that may report. More threads forward nothing. */
export const MAX_FORWARDERS = 64;

const UPSTREAM_WORD = 0;
const WAIT_MS_WORD = 1;
const EDNS_WORD = 2;
const MIX_CASE_WORD = 3;
const PER_SOURCE_WORD = 4;

const REPORTS_START = 64;
const REPORT_WORDS = 64;
const REPLIES_WORD = 0;
const TIMEOUTS_WORD = 1;
const LATENCIES_START = 8;
/** Latest latencies in microseconds, a ring. */
export const LATENCY_SAMPLES = 32;

const SLOW_START = REPORTS_START + MAX_FORWARDERS * REPORT_WORDS;
const SLOW_SLOTS = 8192;
const PENDING_START = SLOW_START + 2 * SLOW_SLOTS;
const PENDING_BUCKETS = 8192;
const PENDING_WAYS = 4;
const WORDS = PENDING_START + 2 * PENDING_BUCKETS * PENDING_WAYS;
/** A claim older than this belongs to a thread that has ended. */
const CLAIM_SECONDS = 10;

/** No upstream is fit for plain forwarding: every miss goes to the resolver. */
export const NO_UPSTREAM = -1;

/** Shared by the resolver and the UDP threads; can be posted to a thread. */
export interface ForwardHandle {
  readonly memory: SharedArrayBuffer;
  readonly upstreams: readonly UpstreamConfig[];
  readonly ttlLimits: TtlLimits;
  /** PEM, for upstreams over TLS, instead of the authorities that node:tls trusts by default. */
  readonly authorities?: readonly string[];
}

export function createForwardHandle(
  upstreams: readonly UpstreamConfig[],
  ttlLimits: TtlLimits = DEFAULT_TTL_LIMITS,
  authorities?: readonly string[],
): ForwardHandle {
  const memory = new SharedArrayBuffer(WORDS * 4);
  new Int32Array(memory)[UPSTREAM_WORD] = NO_UPSTREAM;
  return { memory, upstreams, ttlLimits, ...(authorities !== undefined && { authorities }) };
}

/** Instructions for the threads. */
export interface ForwardPolicy {
  /** Index of the upstream to ask, over UDP or TLS, or NO_UPSTREAM. */
  readonly upstream: number;
  /** Wait for a reply before the question goes to the resolver, which hedges, retries or gives up. */
  readonly waitMs: number;
  readonly knowsEdns: boolean;
  readonly keepsCase: boolean;
  /** Questions that one home (IPv4 address, IPv6 /64: dns/rate-limit.ts homeHash) may have under way in one thread. */
  readonly questionsPerSource: number;
}

export const Claim = { TAKEN: 0, HELD: 1, FULL: 2 } as const;
export type Claim = (typeof Claim)[keyof typeof Claim];

/** The shared memory as both sides use it. Nothing is allocated after construction, but for `reports`. */
export class ForwardState {
  private readonly words: Int32Array;

  constructor({ memory }: ForwardHandle) {
    this.words = new Int32Array(memory);
  }

  /** For the resolver. */
  publish(policy: ForwardPolicy): void {
    const { words } = this;
    words[WAIT_MS_WORD] = Math.ceil(policy.waitMs);
    words[EDNS_WORD] = Number(policy.knowsEdns);
    words[MIX_CASE_WORD] = Number(policy.keepsCase);
    words[PER_SOURCE_WORD] = policy.questionsPerSource;
    Atomics.store(words, UPSTREAM_WORD, policy.upstream);
  }

  get upstream(): number {
    return Atomics.load(this.words, UPSTREAM_WORD);
  }

  get waitMs(): number {
    return this.words[WAIT_MS_WORD];
  }

  get knowsEdns(): boolean {
    return this.words[EDNS_WORD] !== 0;
  }

  get keepsCase(): boolean {
    return this.words[MIX_CASE_WORD] !== 0;
  }

  get questionsPerSource(): number {
    return this.words[PER_SOURCE_WORD];
  }

  /** Records a usable reply. For the thread `index` alone. */
  reportReply(index: number, latencyMicros: number): void {
    const at = REPORTS_START + index * REPORT_WORDS;
    const { words } = this;
    const replies = words[at + REPLIES_WORD];
    words[at + LATENCIES_START + ((replies >>> 0) % LATENCY_SAMPLES)] = latencyMicros;
    Atomics.store(words, at + REPLIES_WORD, (replies + 1) | 0);
  }

  /** Records a question without a reply in time. For the thread `index` alone. */
  reportTimeout(index: number): void {
    Atomics.add(this.words, REPORTS_START + index * REPORT_WORDS + TIMEOUTS_WORD, 1);
  }

  /** Replies that thread `index` has reported, modulo 2^32. */
  replies(index: number): number {
    return Atomics.load(this.words, REPORTS_START + index * REPORT_WORDS + REPLIES_WORD) >>> 0;
  }

  /** Timeouts that thread `index` has reported, modulo 2^32. */
  timeouts(index: number): number {
    return Atomics.load(this.words, REPORTS_START + index * REPORT_WORDS + TIMEOUTS_WORD) >>> 0;
  }

  /** Latency in ms of thread `index`'s reply number `reply`, one of the last LATENCY_SAMPLES. */
  latencyMs(index: number, reply: number): number {
    const at = REPORTS_START + index * REPORT_WORDS + LATENCIES_START;
    return this.words[at + (reply % LATENCY_SAMPLES)] / 1000;
  }

  /**
   * Sends a question to the resolver until `untilSeconds` of the monotonic clock: it has been handed over, or its failure
   * is remembered (RFC 9520). A later question in the same slot displaces it.
   */
  markSlow(key: number, untilSeconds: number): void {
    const at = SLOW_START + 2 * (key & (SLOW_SLOTS - 1));
    this.words[at] = key | 0;
    this.words[at + 1] = untilSeconds;
  }

  isSlow(key: number, nowSeconds: number): boolean {
    const at = SLOW_START + 2 * (key & (SLOW_SLOTS - 1));
    return this.words[at] === (key | 0) && this.words[at + 1] > nowSeconds;
  }

  /**
   * Claims a question, so that only one thread asks it (RFC 5452 5).
   * @returns TAKEN: the caller asks, then releases. HELD: another thread asks. FULL: ask without a claim
   */
  claim(key: number, nowSeconds: number): Claim {
    const tag = key | 1;
    const { words } = this;
    const start = PENDING_START + 2 * PENDING_WAYS * ((key >>> 1) & (PENDING_BUCKETS - 1));
    const end = start + 2 * PENDING_WAYS;
    for (let at = start; at < end; at += 2) {
      if (Atomics.load(words, at) === tag && nowSeconds - words[at + 1] < CLAIM_SECONDS) return Claim.HELD;
    }
    for (let at = start; at < end; at += 2) {
      const held = Atomics.load(words, at);
      if (held !== 0 && nowSeconds - words[at + 1] < CLAIM_SECONDS) continue;
      const found = Atomics.compareExchange(words, at, held, tag);
      if (found === held) {
        words[at + 1] = nowSeconds;
        return Claim.TAKEN;
      }
      if (found === tag) return Claim.HELD;
    }
    return Claim.FULL;
  }

  /** True if some thread has claimed the question. */
  isClaimed(key: number): boolean {
    const tag = key | 1;
    const start = PENDING_START + 2 * PENDING_WAYS * ((key >>> 1) & (PENDING_BUCKETS - 1));
    for (let way = 0; way < PENDING_WAYS; way++) {
      if (Atomics.load(this.words, start + 2 * way) === tag) return true;
    }
    return false;
  }

  release(key: number): void {
    const tag = key | 1;
    const start = PENDING_START + 2 * PENDING_WAYS * ((key >>> 1) & (PENDING_BUCKETS - 1));
    for (let way = 0; way < PENDING_WAYS; way++) {
      if (Atomics.compareExchange(this.words, start + 2 * way, tag, 0) === tag) return;
    }
  }
}
