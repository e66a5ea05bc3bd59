import {
  answerCounter,
  Counter,
  type CounterBlock,
  QueryPath,
  queryCounter,
  queryDuration,
} from '../metrics/index.ts';
import type { Source } from '../net/index.ts';
import { CacheResult } from '../resolver/cache/index.ts';
import { Tried } from '../resolver/forward/index.ts';
import type { Resolved, ResolveRequest, Resolver, ResolveWaiter } from '../resolver/index.ts';
import { checkingDisabled, ExtendedError, Rcode } from '../wire/index.ts';
import type { QueryState, TransportTraits } from './answer/query-state.ts';
import { replyFromResolved } from './answer/reply.ts';
import { decide } from './query.ts';
import { homeHash } from './rate-limit.ts';
import { DEFERRED, QueryVerdict } from './verdict.ts';

/** RFC 8767 5: the client response timer. Clients wait at least 2 s before they retry or ask elsewhere. */
const STALE_AFTER_MS = 1750;
/**
 * Clients retry after about 1 s. Shed queries that have queued longer: we are overloaded, and their clients no longer
 * listen.
 */
const TOO_LATE_MS = 1000;
const NOT_YET: Resolved = { entry: null, rcode: Rcode.SERVFAIL, extendedError: ExtendedError.NONE };

/** A query that waits for the resolver. */
interface DeferredFields {
  readonly query: Uint8Array;
  readonly source: Source;
  readonly receivedAt: number;
  readonly traits: TransportTraits;
  readonly isRegistered: boolean;
  readonly send: (reply: Uint8Array | null) => void;
}

/** The resolver, or another thread's as seen through a port. */
export type AnswererResolver = Pick<Resolver, 'ask' | 'refresh'> & Partial<Pick<Resolver, 'supply'>>;

/**
 * Answers queries on an event loop: those of its listeners, and those that UDP threads have deferred. Calls decide,
 * then the resolver if decide defers.
 */
export class Answerer {
  private readonly state: QueryState;
  private readonly resolver: AnswererResolver;
  private readonly now: () => number;
  private readonly onFault: (fault: unknown) => void;
  /** Buffer that replies are written to. */
  readonly reply: Uint8Array;
  private receivedAt = 0;
  private waiting = 0;
  private readonly onIdle: (() => void)[] = [];

  /**
   * @param now the monotonic clock, in ms
   * @param onFault called when a bug in this program left one query unanswered; others go on
   */
  constructor(
    state: QueryState,
    resolver: AnswererResolver,
    now: () => number,
    onFault: (fault: unknown) => void,
  ) {
    this.state = state;
    this.resolver = resolver;
    this.now = now;
    this.onFault = onFault;
    this.reply = new Uint8Array(0x10000);
  }

  get counters(): CounterBlock {
    return this.state.counters;
  }

  /** True if a source is registered. Others get no TLS connection, because the handshake is expensive. */
  admits(source: Source): boolean {
    return this.state.allowlist.lookup(source) !== 0;
  }

  /**
   * Answers one query.
   * @param send called once, during this call or later, with the reply, or with null for no reply. The reply is valid
   *   during the call only.
   */
  answer(
    query: Uint8Array,
    source: Source,
    traits: TransportTraits,
    send: (reply: Uint8Array | null) => void,
  ): void {
    const length = this.answerNow(query, 0, query.length, source, traits);
    if (length === DEFERRED) this.defer(Uint8Array.from(query), source, traits, send);
    else send(length === 0 ? null : this.reply.subarray(0, length));
  }

  /**
   * Answers the query in bytes[start, end) if no upstream is needed.
   * @returns bytes of the answer in `reply`; 0 for no reply; DEFERRED: call `defer` next
   */
  answerNow(bytes: Uint8Array, start: number, end: number, source: Source, traits: TransportTraits): number {
    const { state, reply } = this;
    const receivedAt = this.now();
    this.receivedAt = receivedAt;
    state.setTime(receivedAt);
    this.setSource(source);
    const length = Math.min(end - start, reply.length);
    for (let i = 0; i < length; i++) reply[i] = bytes[start + i];
    const outcome = decide(state, reply, length, traits);
    if (outcome === DEFERRED) return DEFERRED;
    this.count(outcome, traits, QueryPath.FAST, receivedAt);
    if (state.wantsRefresh) this.resolver.refresh(this.request(reply));
    return state.replyLength;
  }

  /**
   * Asks the resolver for the query that `answerNow` has just deferred.
   * @param query kept until it is answered
   * @param send called once, later; as in `answer`
   */
  defer(
    query: Uint8Array,
    source: Source,
    traits: TransportTraits,
    send: (reply: Uint8Array | null) => void,
  ): void {
    const { receivedAt } = this;
    const isRegistered = this.state.profile !== 0 || traits.isGuest === true;
    this.resolve({ query, source, receivedAt, traits, isRegistered, send });
  }

  /**
   * Resolves a query that decide has deferred in a UDP thread.
   * @param query kept until it is answered
   * @param isRegistered false for a bootstrap name that an unregistered source asked for
   */
  answerDeferred(
    query: Uint8Array,
    source: Source,
    receivedAt: number,
    traits: TransportTraits,
    isRegistered: boolean,
    tried: Tried,
    send: (reply: Uint8Array | null) => void,
  ): void {
    this.readAgain(query, query.length);
    this.resolve({ query, source, receivedAt, traits, isRegistered, send }, tried);
  }

  /** Prefetches the answer to a question that nobody waits for. */
  refresh(query: Uint8Array): void {
    this.readAgain(query, query.length);
    this.resolver.refresh(this.request(query));
  }

  /** Gives the resolver an upstream's late reply to a question that a thread has handed over. */
  takeLate(reply: Uint8Array, dnssecOk: boolean, checkingDisabled: boolean): void {
    this.resolver.supply?.(reply, dnssecOk, checkingDisabled);
  }

  /** Sheds load: true, and counted, if a deferred query has queued for too long. */
  givesUp(receivedAt: number): boolean {
    if (this.now() - receivedAt <= TOO_LATE_MS) return false;
    this.counters.increment(Counter.DEFER_OVERFLOW);
    return true;
  }

  /** Resolves when no query waits for an upstream. */
  async idle(): Promise<void> {
    if (this.waiting === 0) return;
    await new Promise<void>((resolve) => {
      this.onIdle.push(resolve);
    });
  }

  private resolve(fields: DeferredFields, tried: Tried = Tried.NOTHING): void {
    const request = { ...this.request(fields.query), tried };
    this.waiting++;
    const deferred = new DeferredQuery(this, fields, homeHash(fields.source, this.state.seed));
    if (this.holdsStale(request)) {
      deferred.answerStaleAfter(Math.max(0, STALE_AFTER_MS - (this.now() - fields.receivedAt)));
    }
    this.resolver.ask(request, deferred);
    deferred.isAsking = false;
  }

  /** The question in state.question and state.edns. @param message query or reply with the CD bit */
  private request(message: Uint8Array): ResolveRequest {
    const { question, edns } = this.state;
    return {
      name: question.name.bytes,
      nameLength: question.name.length,
      type: question.type,
      qclass: question.qclass,
      dnssecOk: edns.dnssecOk,
      checkingDisabled: checkingDisabled(message),
    };
  }

  private holdsStale({ dnssecOk, checkingDisabled }: ResolveRequest): boolean {
    const { cache, question, nowSeconds } = this.state;
    return cache.find(question, dnssecOk, checkingDisabled, nowSeconds) === CacheResult.STALE;
  }

  /**
   * Serve-stale: answers from an expired entry while upstreams are still being asked. For DeferredQuery. @returns
   * false if the cache has none
   */
  answerStale(fields: DeferredFields): boolean {
    this.readAgain(fields.query, fields.query.length);
    this.state.setTime(this.now());
    const { dnssecOk } = this.state.edns;
    const { cache, question, nowSeconds } = this.state;
    const found = cache.find(question, dnssecOk, checkingDisabled(fields.query), nowSeconds);
    if (found !== CacheResult.MISS) this.finish(fields, NOT_YET);
    return found !== CacheResult.MISS;
  }

  /** Answers with the resolver's result. For DeferredQuery. */
  finish(fields: DeferredFields, resolved: Resolved): void {
    const { query, source, receivedAt, traits, isRegistered, send } = fields;
    const { reply } = this;
    reply.set(query);
    this.readAgain(reply, query.length);
    this.setSource(source);
    this.state.setTime(this.now());
    const verdict = replyFromResolved(this.state, reply, resolved, traits);
    this.count(isRegistered ? verdict : QueryVerdict.BOOTSTRAP, traits, QueryPath.RESOLVED, receivedAt);
    send(reply.subarray(0, this.state.replyLength));
  }

  /** Ends a deferred query. For DeferredQuery. @param fault the bug that left it unanswered, or null */
  ended(fault: unknown): void {
    if (fault !== null) this.onFault(fault);
    if (--this.waiting > 0) return;
    for (const resolve of this.onIdle.splice(0)) resolve();
  }

  private setSource({ family, words }: Source): void {
    this.state.source.family = family;
    this.state.source.words.set(words);
  }

  /** Parses a query that decide has passed before. */
  private readAgain(message: Uint8Array, length: number): void {
    if (!this.state.read(message, length)) throw new DeferredQueryError();
  }

  private count(verdict: QueryVerdict, traits: TransportTraits, path: QueryPath, receivedAt: number): void {
    const { counters } = this.state;
    counters.increment(queryCounter(traits.transport, verdict));
    if (this.state.replyLength > 0) counters.increment(answerCounter(traits.transport, this.state.rcode));
    counters.observe(queryDuration(path), (this.now() - receivedAt) / 1000);
  }
}

/** A query that waits for the resolver. */
class DeferredQuery implements ResolveWaiter {
  private readonly answerer: Answerer;
  private readonly fields: DeferredFields;
  /** The resolver may answer during `ask`; listeners rely on being called later. */
  isAsking = true;
  private isAnswered = false;
  private late: NodeJS.Timeout | undefined;
  /** The resolver bounds the questions of one home. */
  readonly source: number;

  constructor(answerer: Answerer, fields: DeferredFields, source: number) {
    this.answerer = answerer;
    this.fields = fields;
    this.source = source;
  }

  answerStaleAfter(waitMs: number): void {
    this.late = setTimeout(() => {
      this.isAnswered = this.answerer.answerStale(this.fields);
    }, waitMs);
  }

  resolved(resolved: Resolved): void {
    if (this.isAsking) {
      queueMicrotask(() => this.resolved(resolved));
      return;
    }
    try {
      if (!this.isAnswered) this.answerer.finish(this.fields, resolved);
    } catch (error) {
      this.failed(error);
      return;
    }
    clearTimeout(this.late);
    this.answerer.ended(null);
  }

  failed(fault: unknown): void {
    clearTimeout(this.late);
    if (!this.isAnswered) this.fields.send(null);
    this.answerer.ended(fault);
  }
}

/** A deferred query could not be parsed again: a bug in this program. */
export class DeferredQueryError extends Error {
  readonly code = 'deferred_query_unreadable';
  constructor() {
    super('a deferred query could not be read a second time');
    this.name = 'DeferredQueryError';
  }
}
