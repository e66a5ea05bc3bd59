import type { AllowlistReader } from '../../allowlist/index.ts';
import type { CatalogView } from '../../catalog/lookup/index.ts';
import type { CounterBlock, Transport } from '../../metrics/index.ts';
import type { Family, Source } from '../../net/index.ts';
import { CacheReader } from '../../resolver/cache/index.ts';
import { Edns, ExtendedError, MIN_UDP_SIZE, parseQuestion, Question, Rcode } from '../../wire/index.ts';
import { RateLimiter } from '../rate-limit.ts';
import type { ChallengeRecord, QuerySettings, TableUpdate } from '../table-update.ts';
import { AnswerLimit, type AnswerLimitOptions, DEFAULT_ANSWER_LIMIT } from './answer-limit.ts';
import { ServerCookies } from './cookies.ts';
import { OpenBudget } from './open-budget.ts';
import { NO_OPEN_NAMES, OpenNames, type OpenNamesOptions } from './open-names.ts';
import { SpecialNames } from './special.ts';

/** Largest UDP reply; passes unfragmented almost everywhere (RFC 9715 recommends 1400, we choose less). */
export const MAX_UDP_REPLY_BYTES = 1232;

/** Properties of a transport that affect answers. */
export interface TransportTraits {
  readonly transport: Transport;
  /** True if sources may be forged: replies to unregistered sources are small and few. */
  readonly spoofable: boolean;
  /** True if onlookers see message lengths only: replies to padded queries are padded. */
  readonly encrypted: boolean;
  /** Bytes of the longest reply. */
  readonly maxReplyBytes: number;
  /** True for a source that a live private name vouches for: unregistered, it resolves as usual, and nothing is steered. */
  readonly isGuest?: boolean;
}

/** Tables of a thread that answers queries. */
export interface QueryTables {
  readonly allowlist: AllowlistReader;
  readonly catalog: CatalogView;
  readonly cache: CacheReader;
  readonly rateLimiter: RateLimiter;
  readonly counters: CounterBlock;
}

export interface QueryPolicy {
  /** Name-hash seed, secret; must match the one of the catalog's and the cache's tables. */
  readonly seed: number;
  /** TTL of steered and of local negative answers. */
  readonly answerTtlSeconds: number;
  /** Reply to unregistered sources. */
  readonly unregistered: 'refuse' | 'drop';
  /** Idle time of stream connections, told to clients that ask for it (RFC 7828); not told if absent. */
  readonly streamIdleSeconds?: number;
  /** Limit of UDP answers to one prefix; default DEFAULT_ANSWER_LIMIT. */
  readonly answerLimit?: AnswerLimitOptions;
  /** Names that the gate lets pass; none by default. */
  readonly openNames?: OpenNamesOptions;
  /** Server cookie secrets, COOKIE_SECRET_BYTES each, at least one: the first signs, all verify. */
  readonly cookieSecrets: readonly Uint8Array[];
  /** RDATA of the SVCB records at `_dns.resolver.arpa`; empty without encrypted listeners. */
  readonly discovery: readonly Uint8Array[];
}

/** Source of the query at hand, overwritten for each query. */
export class QuerySource implements Source {
  family: Family = 4;
  readonly words = new Int32Array(4);
}

/** State of one query while it is decided. Made once per thread and reused, so that nothing is allocated per query. */
export class QueryState {
  readonly allowlist: AllowlistReader;
  readonly catalog: CatalogView;
  cache: CacheReader;
  rateLimiter: RateLimiter;
  readonly counters: CounterBlock;
  readonly seed: number;
  answerTtlSeconds: number;
  dropsUnregistered: boolean;
  readonly specialNames: SpecialNames;
  openNames: OpenNames;
  readonly openBudget: OpenBudget;
  answerLimit: AnswerLimit;
  cookies: ServerCookies;
  discovery: readonly Uint8Array[];
  /** Current TXT records of ACME challenges. */
  challenges: readonly ChallengeRecord[] = [];
  readonly question = new Question();
  readonly edns = new Edns();

  /** Set by the listener. */
  readonly source = new QuerySource();
  /** Monotonic clock in ms, the same in all threads. Set by the listener, once a batch. */
  readonly clock = new Float64Array(1);
  /** The clock in whole seconds. */
  nowSeconds = 0;

  /** Profile of the source; 0 if it is not registered. */
  profile = 0;
  /** Idle time of stream connections in 100 ms; 0: not told. */
  readonly keepaliveTimeout: number;
  /** True if the transport keeps a connection whose idle time the client may ask for (TCP, TLS). */
  hasKeepalive = false;
  /** Bytes of the query. */
  queryLength = 0;
  /** True if the query had a cookie that only its source can have learnt. Known once the reply is finished. */
  hasValidCookie = false;
  /** Bytes of the reply; 0 for no reply. */
  replyLength = 0;
  /** Full rcode of the reply. */
  rcode = 0;
  /** TransportTraits.encrypted of the transport. */
  encrypted = false;
  /** True if the cached answer is popular and about to expire: the caller prefetches it. */
  wantsRefresh = false;
  /** Extended error for the reply's OPT. */
  extendedError: number = ExtendedError.NONE;

  private readonly wallClock: () => number;

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
    this.keepaliveTimeout = (policy.streamIdleSeconds ?? 0) * 10;
    this.cookies = new ServerCookies(policy.cookieSecrets, wallClock);
    this.wallClock = wallClock;
    this.discovery = policy.discovery;
  }

  /** Switches to new tables and settings, from the next query on. */
  attach(update: TableUpdate): void {
    if (update.allowlist !== undefined) this.allowlist.attach(update.allowlist);
    if (update.catalog !== undefined) this.catalog.attach(update.catalog);
    if (update.cache !== undefined) this.cache = new CacheReader(update.cache);
    if (update.discovery !== undefined) this.discovery = update.discovery;
    if (update.challenges !== undefined) this.challenges = update.challenges;
    if (update.settings !== undefined) this.use(update.settings);
  }

  /** The buckets stay: a reload gives nobody a new budget. */
  private use({ policy, rateLimit }: QuerySettings): void {
    const { memory } = this.rateLimiter;
    this.answerTtlSeconds = policy.answerTtlSeconds;
    this.dropsUnregistered = policy.unregistered === 'drop';
    this.rateLimiter = new RateLimiter(memory, rateLimit, this.seed);
    this.answerLimit = new AnswerLimit(memory, policy.answerLimit, this.seed);
    this.openNames = new OpenNames(this.seed, policy.openNames);
    this.cookies = new ServerCookies(policy.cookieSecrets, this.wallClock);
  }

  /** Parses question and OPT of a query. @returns false if they are malformed */
  read(message: Uint8Array, length: number): boolean {
    this.extendedError = ExtendedError.NONE;
    this.queryLength = length;
    this.hasValidCookie = false;
    if (!parseQuestion(message, length, this.seed, this.question)) return false;
    return this.edns.parse(message, length, this.question.end) === Rcode.NOERROR;
  }

  /** True if the query has a cookie that only its source can know (RFC 7873 5.2.4). Parses the query. */
  provesSource(message: Uint8Array, length: number): boolean {
    if (!this.read(message, length)) return false;
    const { edns } = this;
    return this.cookies.isValid(edns.cookie, edns.cookieLength, this.source.family, this.source.words);
  }

  /** Reads the clock into `clock`, without a number that would have to be allocated. */
  readClock(clockInto: (out: Float64Array) => void): void {
    clockInto(this.clock);
    this.nowSeconds = Math.floor(this.clock[0] / 1000);
  }

  setTime(nowMs: number): void {
    this.clock[0] = nowMs;
    this.nowSeconds = Math.floor(nowMs / 1000);
  }

  /** Longest reply to this query in bytes, by the transport and the client's OPT (RFC 6891 6.2.3). */
  replyLimit(traits: TransportTraits): number {
    if (!traits.spoofable) return traits.maxReplyBytes;
    const asked = this.edns.present ? this.edns.udpSize : MIN_UDP_SIZE;
    return asked < traits.maxReplyBytes ? asked : traits.maxReplyBytes;
  }
}
