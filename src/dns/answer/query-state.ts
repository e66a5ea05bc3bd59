import type { AllowlistReader } from '../../allowlist/index.ts';
import type { CatalogView } from '../../catalog/lookup/index.ts';
import type { CounterBlock, Transport } from '../../metrics/index.ts';
import type { Family, Source } from '../../net/index.ts';
import type { CacheReader } from '../../resolver/cache/index.ts';
import { Edns, ExtendedError, MIN_UDP_SIZE, parseQuestion, Question, Rcode } from '../../wire/index.ts';
import type { RateLimiter } from '../rate-limit.ts';
import type { TableUpdate } from '../table-update.ts';
import { AnswerLimit, type AnswerLimitOptions, DEFAULT_ANSWER_LIMIT } from './answer-limit.ts';
import { ServerCookies } from './cookies.ts';
import { OpenBudget } from './open-budget.ts';
import { NO_OPEN_NAMES, OpenNames, type OpenNamesOptions } from './open-names.ts';
import { SpecialNames } from './special.ts';

/** The largest UDP reply: what passes without fragments almost everywhere, and no more (RFC 9715, we choose less). */
export const MAX_UDP_REPLY_BYTES = 1232;

/** What a transport means for the answers that go over it. */
export interface TransportTraits {
  readonly transport: Transport;
  /** Whether a source address may be forged: then replies to the unregistered are small and few. */
  readonly spoofable: boolean;
  /** Whether an onlooker sees no more of a message than its length: then replies are padded where the query was. */
  readonly encrypted: boolean;
  /** The longest reply that it carries, in bytes. */
  readonly maxReplyBytes: number;
}

/** What a thread that answers queries works with. */
export interface QueryTables {
  readonly allowlist: AllowlistReader;
  readonly catalog: CatalogView;
  readonly cache: CacheReader;
  readonly rateLimiter: RateLimiter;
  readonly counters: CounterBlock;
}

export interface QueryPolicy {
  /** Secret seed of the hashes of names, the one that the catalog's and the cache's tables were built with. */
  readonly seed: number;
  /** TTL of a steered answer and of negative answers made here, in seconds. */
  readonly answerTtlSeconds: number;
  /** What unregistered sources get. */
  readonly unregistered: 'refuse' | 'drop';
  /** Limit of UDP answers to one prefix; DEFAULT_ANSWER_LIMIT without. */
  readonly answerLimit?: AnswerLimitOptions;
  /** Names that the gate does not hold back; none by default. */
  readonly openNames?: OpenNamesOptions;
  /** Secrets of server cookies, COOKIE_SECRET_BYTES each: the first signs, all verify. At least one. */
  readonly cookieSecrets: readonly Uint8Array[];
  /** The SVCB records of `_dns.resolver.arpa`: the data of each; none where there is nothing to be discovered. */
  readonly discovery: readonly Uint8Array[];
}

/** Source of the query at hand, overwritten for each query. */
export class QuerySource implements Source {
  family: Family = 4;
  readonly words = new Int32Array(4);
}

/**
 * The state of one query while it is decided on: made once a thread and filled again for each query, so that
 * nothing is allocated on the way.
 */
export class QueryState {
  readonly allowlist: AllowlistReader;
  readonly catalog: CatalogView;
  readonly cache: CacheReader;
  readonly rateLimiter: RateLimiter;
  readonly counters: CounterBlock;
  readonly seed: number;
  readonly answerTtlSeconds: number;
  readonly dropsUnregistered: boolean;
  readonly specialNames: SpecialNames;
  readonly openNames: OpenNames;
  readonly openBudget: OpenBudget;
  readonly answerLimit: AnswerLimit;
  readonly cookies: ServerCookies;
  discovery: readonly Uint8Array[];
  readonly question = new Question();
  readonly edns = new Edns();

  /** Set by the listener. */
  readonly source = new QuerySource();
  /** The monotonic clock in ms, one for all threads. Set by the listener, once a batch. */
  readonly clock = new Float64Array(1);
  /** The same in whole seconds. */
  nowSeconds = 0;

  /** The source's profile; 0: not registered. */
  profile = 0;
  /** Bytes of the query. */
  queryLength = 0;
  /** True if the query had a cookie that only its source can have learnt. Known once the reply is finished. */
  hasValidCookie = false;
  /** Bytes of the reply, 0: none is sent. */
  replyLength = 0;
  /** The full rcode of the reply. */
  rcode = 0;
  /** Whether the transport shows no more than lengths. */
  encrypted = false;
  /** Whether the answer is about to expire and in use: whoever sends it has it asked for again. */
  wantsRefresh = false;
  /** The extended error that goes into the reply's OPT. */
  extendedError: number = ExtendedError.NONE;

  /** @param wallClock ms since 1970 */
  constructor(tables: QueryTables, policy: QueryPolicy, wallClock: () => number = Date.now) {
    this.allowlist = tables.allowlist;
    this.catalog = tables.catalog;
    this.cache = tables.cache;
    this.rateLimiter = tables.rateLimiter;
    this.counters = tables.counters;
    this.seed = policy.seed;
    this.answerTtlSeconds = policy.answerTtlSeconds;
    this.dropsUnregistered = policy.unregistered === 'drop';
    this.specialNames = new SpecialNames(policy.seed);
    this.openNames = new OpenNames(policy.seed, policy.openNames ?? NO_OPEN_NAMES);
    const { memory } = tables.rateLimiter;
    this.openBudget = new OpenBudget(memory, policy.seed);
    this.answerLimit = new AnswerLimit(memory, policy.answerLimit ?? DEFAULT_ANSWER_LIMIT, policy.seed);
    this.cookies = new ServerCookies(policy.cookieSecrets, wallClock);
    this.discovery = policy.discovery;
  }

  /** Turns to other tables, from the next query on. */
  attach(update: TableUpdate): void {
    if (update.allowlist !== undefined) this.allowlist.attach(update.allowlist);
    if (update.catalog !== undefined) this.catalog.attach(update.catalog);
    if (update.discovery !== undefined) this.discovery = update.discovery;
  }

  /** Reads question and OPT of a query that is known to be whole. @returns false where it is not. */
  read(message: Uint8Array, length: number): boolean {
    this.extendedError = ExtendedError.NONE;
    this.queryLength = length;
    this.hasValidCookie = false;
    if (!parseQuestion(message, length, this.seed, this.question)) return false;
    return this.edns.parse(message, length, this.question.end) === Rcode.NOERROR;
  }

  /** Whether the query has a cookie that only its source can have learnt (RFC 7873 5.2.4); parses it for that. */
  provesSource(message: Uint8Array, length: number): boolean {
    if (!this.read(message, length)) return false;
    const { edns } = this;
    return this.cookies.isValid(edns.cookie, edns.cookieLength, this.source.family, this.source.words);
  }

  /** Sets the time by the clock itself, without a number that would be allocated on its way here. */
  readClock(clockInto: (out: Float64Array) => void): void {
    clockInto(this.clock);
    this.nowSeconds = Math.floor(this.clock[0] / 1000);
  }

  setTime(nowMs: number): void {
    this.clock[0] = nowMs;
    this.nowSeconds = Math.floor(nowMs / 1000);
  }

  /** The longest reply to this query, in bytes: what the transport and the client's OPT allow (RFC 6891 6.2.3). */
  replyLimit(traits: TransportTraits): number {
    if (!traits.spoofable) return traits.maxReplyBytes;
    const asked = this.edns.present ? this.edns.udpSize : MIN_UDP_SIZE;
    return asked < traits.maxReplyBytes ? asked : traits.maxReplyBytes;
  }
}
