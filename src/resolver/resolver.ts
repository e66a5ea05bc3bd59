import { LRUCache } from 'lru-cache';
import { ExtendedError, hashSuffixes, Question, Rcode, readName } from '../wire/index.ts';
import type { Answer } from './answer.ts';
import { buildEntry, type EntryRequest, type TtlLimits } from './cache/entry.ts';
import { ResolverCounters } from './counters.ts';
import type { UpstreamStatus } from './endpoint.ts';
import { FailureCache } from './failures.ts';
import { Forwarder } from './forwarder.ts';
import { Joined, Pending } from './pending.ts';
import type { Outcome, RaceClient } from './race.ts';
import { type FillRandom, RandomSource } from './random.ts';
import {
  keepRequest,
  type Resolved,
  type ResolveFailure,
  type ResolveRequest,
  type ResolveWaiter,
  requestKey,
} from './request.ts';
import { DEFAULT_TIMEOUTS, type ResolverTimeouts } from './timeouts.ts';
import type { DatagramPools } from './upstream/datagram-pool.ts';
import { NODE_DATAGRAMS } from './upstream/node-datagram-pool.ts';
import type { UpstreamTrust } from './upstream/tls.ts';
import type { UpstreamConfig } from './upstream/url.ts';

/** Where answers are kept for those who ask next. */
export interface AnswerStore {
  store(entry: Uint8Array): void;
}

export interface ResolverLimits {
  /** Different questions under way; what comes beyond is answered SERVFAIL at once. */
  readonly questions: number;
  readonly waitersPerQuestion: number;
  /** Failures remembered. */
  readonly failures: number;
}

export interface ResolverOptions {
  /** At least one. */
  readonly upstreams: readonly UpstreamConfig[];
  readonly cache: AnswerStore;
  /** Milliseconds; the clock that the cache's entries are aged by. */
  readonly now: () => number;
  readonly fillRandom: FillRandom;
  /** What names are hashed with; the same as the cache's readers use. */
  readonly nameSeed: number;
  readonly ttlLimits?: TtlLimits;
  readonly timeouts?: Partial<ResolverTimeouts>;
  readonly limits?: Partial<ResolverLimits>;
  readonly counters?: ResolverCounters;
  /** Whose certificates tls and https upstreams may have; by default those of the runtime's authorities. */
  readonly trust?: UpstreamTrust;
  /** The sockets to ask over UDP with, closed with the resolver; those of node:dgram by default. */
  readonly datagrams?: DatagramPools;
}

const DEFAULT_LIMITS: ResolverLimits = Object.freeze({
  questions: 16_384,
  waitersPerQuestion: 4096,
  failures: 10_000,
});

/** A listener may have looked into the cache this long before its question arrives here. */
const JUST_ANSWERED_MS = 1000;
const JUST_ANSWERED_ENTRIES = 1024;
const JUST_ANSWERED_ENTRY_BYTES = 4096;

/** Above this part of the questions that may be under way, nothing is asked that nobody waits for. */
const REFRESH_SHARE = 1 / 8;

const NOBODY: ResolveWaiter = { resolved() {}, failed() {} };

interface JustAnswered {
  readonly entry: Uint8Array;
  readonly untilMs: number;
}

const OVERLOADED: ResolveFailure = Object.freeze({
  entry: null,
  rcode: Rcode.SERVFAIL,
  extendedError: ExtendedError.NONE,
});

/**
 * Resolves questions by asking upstreams: each once, however many ask, with failures remembered (RFC 9520)
 * and answers stored. Looking into the cache first is the caller's part.
 */
export class Resolver {
  readonly counters: ResolverCounters;
  private readonly cache: AnswerStore;
  private readonly now: () => number;
  private readonly nameSeed: number;
  private readonly ttlLimits: TtlLimits | undefined;
  private readonly question = new Question();
  private readonly pending: Pending<Resolved>;
  private readonly failures: FailureCache;
  private readonly refreshLimit: number;
  private readonly forwarder: Forwarder;
  private readonly datagrams: DatagramPools;
  private readonly justAnswered = new LRUCache<string, JustAnswered>({ max: JUST_ANSWERED_ENTRIES });

  constructor(options: ResolverOptions) {
    if (options.upstreams.length === 0) throw new RangeError('a resolver needs an upstream');
    const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const random = new RandomSource(options.fillRandom);
    const { now, cache } = options;
    this.now = now;
    this.cache = cache;
    this.nameSeed = options.nameSeed;
    this.ttlLimits = options.ttlLimits;
    this.counters = options.counters ?? new ResolverCounters();
    this.refreshLimit = limits.questions * REFRESH_SHARE;
    this.pending = new Pending({
      questions: limits.questions,
      waitersPerQuestion: limits.waitersPerQuestion,
    });
    this.failures = new FailureCache({
      now,
      minMs: timeouts.failureMinMs,
      maxMs: timeouts.failureMaxMs,
      capacity: limits.failures,
    });
    this.datagrams = options.datagrams ?? NODE_DATAGRAMS;
    this.forwarder = new Forwarder({
      upstreams: options.upstreams,
      now,
      random,
      timeouts,
      counters: this.counters,
      trust: options.trust ?? {},
      createDatagramPool: (remote) => this.datagrams.createPool(remote, random, now),
    });
  }

  /** Questions under way. */
  get inFlight(): number {
    return this.pending.size;
  }

  /** Resolves to an entry or a failure within timeouts.overallMs; rejects for a fault of this program alone. */
  resolve(request: ResolveRequest): Promise<Resolved> {
    return new Promise((resolved, failed) => this.ask(request, { resolved, failed }));
  }

  /** The same without a promise, for those who ask often: `waiter` is told within that time, perhaps during this call. */
  ask(request: ResolveRequest, waiter: ResolveWaiter): void {
    this.counters.questions++;
    const key = requestKey(request);
    const joined = this.pending.join(key, waiter);
    if (joined === Joined.YES) {
      this.counters.coalesced++;
      return;
    }
    if (joined === Joined.FULL) {
      this.turnAway(waiter);
      return;
    }
    const known = this.recall(key);
    if (known !== undefined) waiter.resolved(known);
    else if (this.pending.begin(key, waiter)) {
      const kept = keepRequest(request);
      this.forwarder.forward(kept, new Inquiry(this, key, kept));
    } else this.turnAway(waiter);
  }

  /** Asks for an answer that the cache still has, so that it has it anew before it expires: if there is room to spare. */
  refresh(request: ResolveRequest): void {
    if (this.pending.size >= this.refreshLimit) return;
    const key = requestKey(request);
    if (this.pending.join(key, NOBODY) !== Joined.NO || this.failures.find(key) !== undefined) return;
    this.counters.prefetches++;
    const kept = keepRequest(request);
    if (this.pending.begin(key, NOBODY)) this.forwarder.forward(kept, new Inquiry(this, key, kept));
  }

  /** The upstreams as configured, with what was measured. */
  upstreams(): UpstreamStatus[] {
    return this.forwarder.upstreams();
  }

  /** Ends all questions as failures and closes all sockets. */
  async close(): Promise<void> {
    await this.forwarder.close();
    await this.datagrams.close();
  }

  private recall(key: string): Resolved | undefined {
    const failure = this.failures.find(key);
    if (failure !== undefined) {
      this.counters.rememberedFailures++;
      return failure;
    }
    const answered = this.justAnswered.get(key);
    if (answered === undefined || this.now() >= answered.untilMs) return undefined;
    this.counters.justAnswered++;
    return { entry: answered.entry, cached: true };
  }

  /** Makes an answer of a reply to `request`. For its Inquiry. */
  readAnswer(request: ResolveRequest, message: Uint8Array, length: number): Answer | null {
    return buildEntry(this.asked(request), message, length, this.now(), this.ttlLimits);
  }

  /** Tells those who wait what became of a question. For its Inquiry. */
  settle(key: string, outcome: Outcome): void {
    let resolved: Resolved;
    try {
      resolved = this.conclude(key, outcome);
    } catch (error) {
      this.pending.fail(key, error);
      return;
    }
    this.pending.settle(key, resolved);
  }

  private conclude(key: string, outcome: Outcome): Resolved {
    if (outcome.kind === 'answered') return this.keep(key, outcome.answer);
    this.counters.failures++;
    if (outcome.kind === 'busy') {
      this.counters.overloaded++;
      return OVERLOADED;
    }
    const failure = failureOf(outcome);
    this.failures.record(key, failure);
    return failure;
  }

  /** The request as the cache has it; valid until the next call. */
  private asked(request: ResolveRequest): EntryRequest {
    const { question } = this;
    const { dnssecOk, checkingDisabled } = request;
    readName(request.name, request.nameLength, 0, question.name);
    question.type = request.type;
    question.qclass = request.qclass;
    hashSuffixes(question.name, this.nameSeed, question.hashes);
    return { question, dnssecOk, checkingDisabled };
  }

  private keep(key: string, { entry, ttlSeconds, cacheable }: Answer): Resolved {
    this.failures.forget(key);
    if (cacheable) {
      this.cache.store(entry);
      if (entry.length <= JUST_ANSWERED_ENTRY_BYTES) {
        const untilMs = this.now() + Math.min(JUST_ANSWERED_MS, ttlSeconds * 1000);
        this.justAnswered.set(key, { entry, untilMs });
      }
    }
    return { entry, cached: false };
  }

  private turnAway(waiter: ResolveWaiter): void {
    this.counters.overloaded++;
    waiter.resolved(OVERLOADED);
  }
}

/** A question that upstreams are asked. */
class Inquiry implements RaceClient {
  private readonly resolver: Resolver;
  private readonly key: string;
  private readonly request: ResolveRequest;

  constructor(resolver: Resolver, key: string, request: ResolveRequest) {
    this.resolver = resolver;
    this.key = key;
    this.request = request;
  }

  read(message: Uint8Array, length: number): Answer | null {
    return this.resolver.readAnswer(this.request, message, length);
  }

  settled(outcome: Outcome): void {
    this.resolver.settle(this.key, outcome);
  }
}

function failureOf(outcome: Extract<Outcome, { kind: 'declined' | 'failed' }>): ResolveFailure {
  const { NETWORK_ERROR, NO_REACHABLE_AUTHORITY } = ExtendedError;
  if (outcome.kind === 'declined') {
    // A device would read REFUSED as our word that its address is not registered; 22 is for those that refuse, too.
    if (outcome.rcode === Rcode.REFUSED) {
      return { entry: null, rcode: Rcode.SERVFAIL, extendedError: NO_REACHABLE_AUTHORITY };
    }
    return { entry: null, rcode: outcome.rcode, extendedError: ExtendedError.NONE };
  }
  const extendedError = outcome.unreachable ? NETWORK_ERROR : NO_REACHABLE_AUTHORITY;
  return { entry: null, rcode: Rcode.SERVFAIL, extendedError };
}
