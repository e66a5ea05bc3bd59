import { LRUCache } from 'lru-cache';
import {
  ExtendedError,
  hashSuffixes,
  parseQuestion,
  Question,
  Rcode,
  RecordType,
  readName,
} from '../wire/index.ts';
import { type BuiltEntry, buildEntry, type TtlLimits } from './cache/entry.ts';
import type { EntryRequest } from './cache/entry-encoder.ts';
import { keyFlags, keyHash } from './cache/key.ts';
import { ResolverCounters } from './counters.ts';
import { Endpoint, type UpstreamQuirk, type UpstreamStatus } from './endpoint.ts';
import { FailureCache } from './failures.ts';
import { ForwardPublisher } from './forward/forward-publisher.ts';
import type { ForwardHandle } from './forward/forward-state.ts';
import { HedgeBudget } from './hedge-budget.ts';
import { Inquiry, type InquiryContext, type InquiryResult } from './inquiry.ts';
import { Joined, Pending } from './pending.ts';
import { type FillRandom, RandomSource } from './random.ts';
import {
  keepRequest,
  type Resolved,
  type ResolveFailure,
  type ResolveRequest,
  type ResolveWaiter,
  requestKey,
} from './request.ts';
import { Shares } from './shares.ts';
import { DEFAULT_TIMEOUTS, type ResolverTimeouts } from './timeouts.ts';
import type { DatagramPools } from './upstream/datagram-pool.ts';
import { NODE_DATAGRAMS } from './upstream/node-datagram-pool.ts';
import type { UpstreamTrust } from './upstream/tls.ts';
import { createTransports } from './upstream/transports.ts';
import type { UpstreamConfig } from './upstream/url.ts';
import { zoneKey } from './zone.ts';

/** Keeps answers for those who ask next. */
export interface AnswerStore {
  store(entry: Uint8Array): void;
}

/** Bounds; a question beyond one is answered SERVFAIL at once, which is not remembered. */
export interface ResolverLimits {
  /** Different questions under way. */
  readonly questions: number;
  readonly waitersPerQuestion: number;
  /** Questions that one home may have under way. Default: an eighth of `questions`. */
  readonly questionsPerSource: number;
  /** Questions under way below one zone (see zoneKey). Default: a sixteenth of `questions`. */
  readonly questionsPerZone: number;
  /** Failures remembered. */
  readonly failures: number;
}

export interface ResolverOptions {
  /** At least one. */
  readonly upstreams: readonly UpstreamConfig[];
  readonly cache: AnswerStore;
  /** The clock that ages the cache's entries, in ms. */
  readonly now: () => number;
  readonly fillRandom: FillRandom;
  /** Name-hash seed; must match the one of the cache's readers. */
  readonly nameSeed: number;
  readonly ttlLimits?: TtlLimits;
  readonly timeouts?: Partial<ResolverTimeouts>;
  readonly limits?: Partial<ResolverLimits>;
  readonly counters?: ResolverCounters;
  /** Certificate authorities for tls and https upstreams; default: the runtime's. */
  readonly trust?: UpstreamTrust;
  /** Shared with the UDP threads that ask upstreams by themselves. */
  readonly forward?: ForwardHandle;
  /** Sockets to ask over UDP, closed with the resolver; default: node:dgram's. */
  readonly datagrams?: DatagramPools;
  /** Called once for each quirk of an upstream, which is asked accordingly from then on. */
  readonly onQuirk?: (url: string, quirk: UpstreamQuirk) => void;
}

const QUESTIONS = 16_384;
const WAITERS_PER_QUESTION = 4096;
const FAILURES = 10_000;
const SOURCE_SHARE = 1 / 8;
const ZONE_SHARE = 1 / 16;

/** A listener may have missed the cache this long before its question arrives here. */
const RECENT_ANSWER_MS = 1000;
const RECENT_ANSWERS = 1024;
const RECENT_ANSWER_BYTES = 4096;

/** Refreshes are dropped while more than this part of `questions` is under way. */
const REFRESH_SHARE = 1 / 8;

const NOBODY: ResolveWaiter = { resolved() {}, failed() {} };

interface RecentAnswer {
  readonly entry: Uint8Array;
  readonly untilMs: number;
}

const OVERLOADED: ResolveFailure = Object.freeze({
  entry: null,
  rcode: Rcode.SERVFAIL,
  extendedError: ExtendedError.NONE,
});

/**
 * Resolves questions by asking upstreams: each once, however many ask, with failures remembered (RFC 9520) and answers
 * stored. Callers look into the cache first.
 */
export class Resolver {
  readonly counters: ResolverCounters;
  private cache: AnswerStore;
  private readonly now: () => number;
  private readonly nameSeed: number;
  private readonly ttlLimits: TtlLimits | undefined;
  private readonly question = new Question();
  private readonly pending: Pending<Resolved, ResolveWaiter>;
  private readonly sources: Shares<number>;
  private readonly zones: Shares<string>;
  private readonly failures: FailureCache;
  private readonly refreshLimit: number;
  private readonly context: InquiryContext;
  /** Null: UDP threads hand all misses to this resolver. */
  readonly forward: ForwardHandle | null;
  private readonly publisher: ForwardPublisher | null;
  private readonly inquiries = new Map<string, Inquiry>();
  private readonly datagrams: DatagramPools;
  private readonly openEndpoint: (config: UpstreamConfig) => Endpoint;
  /** Endpoints of replaced upstreams, until no question asks them. */
  private readonly replaced = new Map<NodeJS.Timeout, readonly Endpoint[]>();
  private readonly recentAnswers = new LRUCache<string, RecentAnswer>({ max: RECENT_ANSWERS });
  private isClosed = false;
  private upstreamsSinceMs = Number.NEGATIVE_INFINITY;

  constructor(options: ResolverOptions) {
    if (options.upstreams.length === 0) throw new RangeError('a resolver needs an upstream');
    const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
    const limits = withDefaults(options.limits);
    const random = new RandomSource(options.fillRandom);
    const counters = options.counters ?? new ResolverCounters();
    const { now, cache } = options;
    this.now = now;
    this.cache = cache;
    this.nameSeed = options.nameSeed;
    this.ttlLimits = options.ttlLimits;
    this.counters = counters;
    this.refreshLimit = limits.questions * REFRESH_SHARE;
    this.sources = new Shares(limits.questionsPerSource);
    this.zones = new Shares(limits.questionsPerZone);
    this.pending = new Pending(limits, (waiter) => this.releaseSource(waiter));
    this.failures = new FailureCache({
      now,
      minMs: timeouts.failureMinMs,
      maxMs: timeouts.failureMaxMs,
      capacity: limits.failures,
    });
    this.datagrams = options.datagrams ?? NODE_DATAGRAMS;
    this.openEndpoint = this.endpointMaker(options, timeouts, random);
    this.context = {
      now,
      random,
      counters,
      timeouts,
      endpoints: options.upstreams.map(this.openEndpoint),
      hedges: new HedgeBudget(),
      read: (request, message, length) => this.readAnswer(request, message, length),
      settled: (inquiry, result) => this.settle(inquiry, result),
    };
    this.forward = options.forward ?? null;
    this.publisher = this.forward && new ForwardPublisher({ handle: this.forward, ...this.context });
  }

  /** Questions under way. */
  get inFlight(): number {
    return this.pending.size;
  }

  /** Resolves to an entry or a failure within timeouts.overallMs; rejects only for an error of this program. */
  resolve(request: ResolveRequest): Promise<Resolved> {
    return new Promise((resolved, failed) => this.ask(request, { resolved, failed }));
  }

  /** The same without a promise, for frequent callers. The waiter may be called during this call. */
  ask(request: ResolveRequest, waiter: ResolveWaiter): void {
    this.counters.questions++;
    const key = requestKey(request);
    const known = this.pending.has(key) ? undefined : this.recall(key);
    if (known !== undefined) waiter.resolved(known);
    else if (!this.takeSource(waiter)) this.turnAway(waiter);
    else if (!this.join(key, request, waiter)) {
      this.releaseSource(waiter);
      this.turnAway(waiter);
    }
  }

  /** Asks again for an answer that the cache still has, before it expires, if there is room to spare. */
  refresh(request: ResolveRequest): void {
    if (this.pending.size >= this.refreshLimit) return;
    const key = requestKey(request);
    if (this.pending.has(key) || this.failures.find(key) !== undefined) return;
    if (this.begin(key, request, NOBODY)) this.counters.prefetches++;
  }

  /** The upstreams as configured, with what was measured. */
  upstreams(): UpstreamStatus[] {
    return this.context.endpoints.map((endpoint, index) => endpoint.status(index));
  }

  /**
   * Asks other upstreams from the next question on. One that stays keeps its connections and what was measured.
   * @param firstIndex index of the first one among those that the UDP threads know
   */
  useUpstreams(upstreams: readonly UpstreamConfig[], firstIndex: number): void {
    if (upstreams.length === 0) throw new RangeError('a resolver needs an upstream');
    const gone = new Set(this.context.endpoints);
    const endpoints = upstreams.map((config) => {
      const known = [...gone].find(({ config: { url } }) => url === config.url);
      if (known === undefined) return this.openEndpoint(config);
      gone.delete(known);
      return known;
    });
    this.context.endpoints = endpoints;
    this.publisher?.useEndpoints(endpoints, firstIndex);
    this.upstreamsSinceMs = this.now();
    this.failures.clear();
    this.recentAnswers.clear();
    if (gone.size === 0) return;
    const timer = setTimeout(() => {
      this.replaced.delete(timer);
      void closeAll([...gone]);
    }, this.context.timeouts.overallMs).unref();
    this.replaced.set(timer, [...gone]);
  }

  /** Stores answers elsewhere from now on. */
  useCache(cache: AnswerStore): void {
    this.cache = cache;
    this.recentAnswers.clear();
  }

  /** Ends all questions as failures and closes all sockets. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.publisher?.close();
    for (const inquiry of [...this.inquiries.values()]) inquiry.abort();
    for (const timer of this.replaced.keys()) clearTimeout(timer);
    await closeAll([...this.context.endpoints, ...[...this.replaced.values()].flat()]);
    await this.datagrams.close();
  }

  private endpointMaker(
    { now, trust = {}, onQuirk = () => {} }: ResolverOptions,
    timeouts: ResolverTimeouts,
    random: RandomSource,
  ): (config: UpstreamConfig) => Endpoint {
    const { counters } = this;
    const onIgnored = (): void => {
      counters.ignored++;
    };
    const createDatagramPool = (remote: UpstreamConfig) => this.datagrams.createPool(remote, random, now);
    const parts = { random, now, timeouts, createDatagramPool, trust, onIgnored };
    return (config) => {
      const transports = createTransports(config, parts);
      return new Endpoint({ config, transports, timeouts, random, now, onQuirk });
    };
  }

  private join(key: string, request: ResolveRequest, waiter: ResolveWaiter): boolean {
    const joined = this.pending.join(key, waiter);
    if (joined === Joined.YES) this.counters.coalesced++;
    return joined === Joined.NO ? this.begin(key, request, waiter) : joined === Joined.YES;
  }

  private begin(key: string, request: ResolveRequest, waiter: ResolveWaiter): boolean {
    const zone = zoneKey(request.name, request.nameLength);
    if (this.isClosed || !this.zones.take(zone)) return false;
    if (!this.pending.begin(key, waiter)) {
      this.zones.release(zone);
      return false;
    }
    const inquiry = new Inquiry(this.context, key, keepRequest(request));
    this.inquiries.set(key, inquiry);
    inquiry.start();
    return true;
  }

  private takeSource({ source }: ResolveWaiter): boolean {
    return source === undefined || this.sources.take(source);
  }

  private releaseSource({ source }: ResolveWaiter): void {
    if (source !== undefined) this.sources.release(source);
  }

  private recall(key: string): Resolved | undefined {
    const failure = this.failures.find(key);
    if (failure !== undefined) {
      this.counters.rememberedFailures++;
      return failure;
    }
    const recent = this.recentAnswers.get(key);
    if (recent === undefined || this.now() >= recent.untilMs) return undefined;
    this.counters.recentAnswers++;
    return { entry: recent.entry, cached: true };
  }

  /**
   * Ends a question with a reply that a UDP thread got after it had handed the question over.
   * @param reply checked by the thread, its question in lower case
   */
  supply(reply: Uint8Array, dnssecOk: boolean, checkingDisabled: boolean): void {
    const { question } = this;
    if (!parseQuestion(reply, reply.length, this.nameSeed, question)) return;
    const { type, qclass } = question;
    const { bytes: name, length: nameLength } = question.name;
    const request = keepRequest({ name, nameLength, type, qclass, dnssecOk, checkingDisabled });
    const inquiry = this.inquiries.get(requestKey(request));
    const answer = inquiry === undefined ? null : this.readAnswer(request, reply, reply.length);
    if (answer !== null) inquiry?.supply(answer);
  }

  private readAnswer(request: ResolveRequest, message: Uint8Array, length: number): BuiltEntry | null {
    return buildEntry(this.parse(request), message, length, this.now(), this.ttlLimits);
  }

  /** The request as the cache takes it; valid until the next call. */
  private parse({
    name,
    nameLength,
    type,
    qclass,
    dnssecOk,
    checkingDisabled,
  }: ResolveRequest): EntryRequest {
    const { question } = this;
    readName(name, nameLength, 0, question.name);
    question.type = type;
    question.qclass = qclass;
    hashSuffixes(question.name, this.nameSeed, question.hashes);
    return { question, dnssecOk, checkingDisabled };
  }

  private cacheKey(request: ResolveRequest): number {
    const { question, dnssecOk, checkingDisabled } = this.parse(request);
    const flags = keyFlags(dnssecOk, checkingDisabled);
    return keyHash(question.hashes[0], question.type, question.qclass, flags);
  }

  private settle(inquiry: Inquiry, result: InquiryResult): void {
    const { key, request } = inquiry;
    this.inquiries.delete(key);
    this.zones.release(zoneKey(request.name, request.nameLength));
    let resolved: Resolved;
    try {
      resolved = this.conclude(inquiry, result);
    } catch (error) {
      this.pending.fail(key, error);
      return;
    }
    this.pending.settle(key, resolved);
  }

  private conclude({ key, request, startedMs }: Inquiry, result: InquiryResult): Resolved {
    if (result.kind === 'answered') return this.keep(key, result.answer);
    this.counters.failures++;
    if (result.kind === 'busy') {
      this.counters.overloaded++;
      return OVERLOADED;
    }
    const failure = failureOf(result, request.type);
    // A failure of upstreams that were replaced meanwhile says nothing about the new ones.
    if (startedMs <= this.upstreamsSinceMs) return failure;
    const untilMs = this.failures.record(key, failure);
    this.publisher?.markSlow(this.cacheKey(request), untilMs);
    return failure;
  }

  private keep(key: string, { entry, ttlSeconds, cacheable }: BuiltEntry): Resolved {
    this.failures.forget(key);
    if (cacheable) {
      this.cache.store(entry);
      if (entry.length <= RECENT_ANSWER_BYTES) {
        const untilMs = this.now() + Math.min(RECENT_ANSWER_MS, ttlSeconds * 1000);
        this.recentAnswers.set(key, { entry, untilMs });
      }
    }
    return { entry, cached: false };
  }

  private turnAway(waiter: ResolveWaiter): void {
    this.counters.overloaded++;
    waiter.resolved(OVERLOADED);
  }
}

async function closeAll(endpoints: readonly Endpoint[]): Promise<void> {
  await Promise.all(endpoints.map((endpoint) => endpoint.close()));
}

function withDefaults(limits: Partial<ResolverLimits> = {}): ResolverLimits {
  const { questions = QUESTIONS } = limits;
  return {
    questions,
    waitersPerQuestion: WAITERS_PER_QUESTION,
    questionsPerSource: Math.ceil(questions * SOURCE_SHARE),
    questionsPerZone: Math.ceil(questions * ZONE_SHARE),
    failures: FAILURES,
    ...limits,
  };
}

function failureOf(
  result: Extract<InquiryResult, { kind: 'declined' | 'failed' }>,
  type: number,
): ResolveFailure {
  const { NETWORK_ERROR, NO_REACHABLE_AUTHORITY } = ExtendedError;
  if (result.kind === 'declined') {
    // A device would take REFUSED as ours: its address is not registered. EDE 22 covers upstreams that refuse.
    if (result.rcode === Rcode.REFUSED) {
      return { entry: null, rcode: Rcode.SERVFAIL, extendedError: NO_REACHABLE_AUTHORITY };
    }
    // NODATA: with an error for AAAA, musl fails the whole look-up (RFC 4074 4.3). The client does not cache it: no SOA.
    if (result.rcode === Rcode.NOTIMP && type !== RecordType.A) {
      return { entry: null, rcode: Rcode.NOERROR, extendedError: ExtendedError.NONE };
    }
    return { entry: null, rcode: result.rcode, extendedError: ExtendedError.NONE };
  }
  const extendedError = result.unreachable ? NETWORK_ERROR : NO_REACHABLE_AUTHORITY;
  return { entry: null, rcode: Rcode.SERVFAIL, extendedError };
}
