import { isTruncated, Rcode, rcode } from '../wire/index.ts';
import type { BuiltEntry } from './cache/entry.ts';
import { contentDigest } from './content-digest.ts';
import type { ResolverCounters } from './counters.ts';
import type { Endpoint } from './endpoint.ts';
import { buildQuery, type UpstreamQuery } from './query.ts';
import type { RandomSource } from './random.ts';
import { Match, matchReply, ReplySurvey } from './reply.ts';
import type { ResolveRequest } from './request.ts';
import type { Exchange, ReplyListener, Upstream, UpstreamError } from './upstream/upstream.ts';

/** RFC 6672 2.2: the name that a DNAME leads to is too long. An answer, like NXDOMAIN. */
const YXDOMAIN = 6;
/** Wait for a better reply after one that answers the question but cannot be used. */
const UNUSABLE_GRACE_MS = 100;
/** Replies in lower case that must agree before an upstream counts as folding case: as unbound's caps-for-id fallback. */
const CONFIRMATIONS = 3;

/** Ways of sending the question, in the order of the fallbacks. */
const Way = {
  /** The upstream's own transport. */
  FIRST: 0,
  /** TCP instead of UDP: the reply was truncated, or may be forged. */
  STREAM: 1,
  /** UDP in lower case, several times: the reply's case differed, and TCP gave no answer. */
  CONFIRM: 2,
  /** UDP without EDNS: the reply was cut without TC, and TCP gave no answer. Plain DNS fits 512 bytes or says TC. */
  PLAIN: 3,
} as const;
type Way = (typeof Way)[keyof typeof Way];

/** Why an attempt ended without a reply; `busy`: there was no room to send. */
export type AttemptError = UpstreamError | 'busy';

/** Reports of an attempt; RESENT: it goes on in another way, which takes its own time. */
export const AttemptEvent = { ANSWERED: 0, DECLINED: 1, FAILED: 2, RESENT: 3 } as const;
export type AttemptEvent = (typeof AttemptEvent)[keyof typeof AttemptEvent];

export interface AttemptContext {
  readonly now: () => number;
  readonly random: RandomSource;
  readonly counters: ResolverCounters;
  /**
   * Makes an answer of a reply whose header and question match the request; null if it is malformed. The message is
   * valid during the call only.
   */
  readonly read: (request: ResolveRequest, message: Uint8Array, length: number) => BuiltEntry | null;
}

const survey = new ReplySurvey();

/**
 * One upstream asked one question: over UDP first if it is that, over a stream when the reply is truncated, unreadable or
 * may be forged, without EDNS when the upstream does not know it (RFC 6891 7), in lower case when it folds case and has no
 * TCP. There is no way back, so the number of queries is bounded.
 */
export class Attempt implements ReplyListener {
  readonly endpoint: Endpoint;
  /** Time of the first query, and of the last. */
  readonly startedMs: number;
  sentMs: number;
  isOver = false;
  /** True once another upstream was asked beside this one. */
  isHedged = false;
  /** After ANSWERED. After DECLINED: an empty answer, used if no upstream has a better one. */
  answer: BuiltEntry | null = null;
  /** After DECLINED: the upstream's rcode. */
  rcode = 0;
  /** After FAILED. */
  error: AttemptError | null = null;
  private readonly context: AttemptContext;
  private readonly request: ResolveRequest;
  private readonly report: (attempt: Attempt, event: AttemptEvent) => void;
  private way: Way = Way.FIRST;
  private hasEdns: boolean;
  private query!: UpstreamQuery;
  private exchange: Exchange | null = null;
  private ednsRefused = false;
  private caseDiffered = false;
  private wasUnusable = false;
  /** Digest of the replies that must agree, and their number. */
  private confirmed = '';
  private confirmations = 0;
  private timer: NodeJS.Timeout | undefined;

  /** @param report never called from within `start`, but for FAILED with the error `busy` */
  constructor(
    endpoint: Endpoint,
    request: ResolveRequest,
    context: AttemptContext,
    report: (attempt: Attempt, event: AttemptEvent) => void,
  ) {
    this.endpoint = endpoint;
    this.request = request;
    this.context = context;
    this.report = report;
    this.startedMs = context.now();
    this.sentMs = this.startedMs;
    this.hasEdns = endpoint.knowsEdns(this.startedMs);
  }

  /**
   * @param overStream true if a UDP thread has already had a reply that asks for it
   * @param isLastTry true if the upstream has been silent to the others: it may drop queries with EDNS
   */
  start(overStream = false, isLastTry = false): void {
    if (overStream) this.way = Way.STREAM;
    if (isLastTry && !this.endpoint.hasShownEdns(this.startedMs)) this.hasEdns = false;
    this.send();
  }

  /** Ends without telling the inquiry. */
  cancel(): void {
    this.exchange?.cancel();
    this.end();
  }

  reply(message: Uint8Array, length: number): boolean {
    const match = matchReply(message, length, this.query);
    if (match === Match.NONE) return false;
    if (match === Match.CASE_DIFFERS && this.query.hasMixedCase && this.upstream.mayBeSpoofed) {
      return this.handleCase();
    }
    if (match === Match.ERROR_ONLY) return this.handleError(rcode(message), false);
    if (match === Match.QUESTIONLESS) return this.handleUnusable();
    if (isTruncated(message)) {
      // A stream has room for everything: TC there means that the upstream has no more to give.
      if (this.way !== Way.FIRST || !this.upstream.mayBeSpoofed) return this.decline(Rcode.SERVFAIL);
      this.context.counters.truncated++;
      return this.moveToStream();
    }
    if (!survey.read(message, length, this.query.questionEnd)) return this.handleUnusable();
    return this.evaluate(message, length, match);
  }

  failed(error: UpstreamError): void {
    this.exchange = null;
    if (this.isOver) return;
    if (error === 'flooded' && this.way === Way.FIRST) {
      this.context.counters.floods++;
      this.resend(Way.STREAM, this.hasEdns);
      return;
    }
    if (this.fallsBackFromStream()) return;
    const isOwnTransport = this.way === Way.FIRST;
    this.end();
    const nowMs = this.context.now();
    if (error === 'unreachable' && isOwnTransport) this.endpoint.unreachable(nowMs, this.startedMs);
    else this.endpoint.silent(nowMs, this.startedMs);
    this.error = error;
    this.report(this, AttemptEvent.FAILED);
  }

  /** True while TCP is tried after a reply in another case, or one that was cut: if TCP fails, the attempt goes on. */
  get hasFallback(): boolean {
    return this.way === Way.STREAM && (this.caseDiffered || (this.wasUnusable && this.hasEdns));
  }

  private get upstream(): Upstream {
    const { transports } = this.endpoint;
    return this.way === Way.STREAM ? transports.stream : transports.first;
  }

  private evaluate(message: Uint8Array, length: number, match: number): boolean {
    const code = survey.rcode;
    if (code === Rcode.FORMERR || code === Rcode.NOTIMP) return this.handleError(code, survey.hasOpt);
    if (code === Rcode.BADVERS) return this.handleError(code, false);
    if (survey.isLame && !survey.isEmpty) return this.decline(Rcode.SERVFAIL);
    if (code !== Rcode.NOERROR && code !== Rcode.NXDOMAIN && code !== YXDOMAIN) return this.decline(code);
    if (this.way === Way.CONFIRM && !this.confirms(message, length)) return true;
    // The random case must not show in names that point at the question's.
    for (let at = 0; at < this.request.nameLength; at++) message[12 + at] = this.request.name[at];
    const answer = this.context.read(this.request, message, length);
    if (answer === null) return this.handleUnusable();
    if (survey.isEmpty) {
      this.answer = answer;
      return this.decline(Rcode.SERVFAIL);
    }
    const nowMs = this.context.now();
    if (this.ednsRefused) this.endpoint.rememberNoEdns(nowMs);
    else if (this.query.hasEdns) this.endpoint.showsEdns(nowMs);
    else this.endpoint.confirmDropsEdns(nowMs);
    if (match === Match.CASE_DIFFERS && this.way === Way.STREAM) this.endpoint.rememberFoldsCase(nowMs);
    this.replied();
    this.end();
    this.answer = answer;
    this.report(this, AttemptEvent.ANSWERED);
    return true;
  }

  /** The case differs: forged, or the upstream folds it. Only a stream, or several replies that agree, can tell. */
  private handleCase(): true {
    this.context.counters.caseMismatches++;
    this.caseDiffered = true;
    if (this.way === Way.FIRST && !this.endpoint.lacksStream(this.context.now())) return this.moveToStream();
    this.replied();
    this.resend(Way.CONFIRM, this.hasEdns);
    return true;
  }

  /** TCP failed, in whatever way, after a reply in another case. @returns true if the attempt goes on */
  private fallsBackFromStream(): boolean {
    if (!this.hasFallback) return false;
    this.endpoint.rememberNoStream(this.context.now());
    if (this.caseDiffered) this.resend(Way.CONFIRM, this.hasEdns);
    else this.resend(Way.PLAIN, false);
    return true;
  }

  /** @returns true for the last of CONFIRMATIONS replies that agree; else the attempt has gone on, or ended */
  private confirms(message: Uint8Array, length: number): boolean {
    const digest = contentDigest(message, length, this.query.questionEnd);
    if (this.confirmations > 0 && digest !== this.confirmed) {
      this.decline(Rcode.SERVFAIL);
      return false;
    }
    this.confirmed = digest;
    this.confirmations++;
    if (this.confirmations < CONFIRMATIONS) {
      this.resend(Way.CONFIRM, this.hasEdns);
      return false;
    }
    this.endpoint.confirmFoldsCase(this.context.now());
    return true;
  }

  /**
   * The reply is malformed, cut, without a question, or has an endless chain of aliases. If it was forged, the true one
   * follows; if not, waiting to the end would make the upstream look dead. A stream does not cut.
   */
  private handleUnusable(): boolean {
    if (!this.upstream.mayBeSpoofed) return this.decline(Rcode.SERVFAIL);
    this.timer ??= setTimeout(() => this.moveOnFromUnusable(), UNUSABLE_GRACE_MS);
    return false;
  }

  private moveOnFromUnusable(): void {
    this.wasUnusable = true;
    if (this.way === Way.FIRST && !this.endpoint.lacksStream(this.context.now())) this.moveToStream();
    else if (this.way === Way.FIRST && this.hasEdns) {
      this.replied();
      this.resend(Way.PLAIN, false);
    } else {
      this.exchange?.cancel();
      this.decline(Rcode.SERVFAIL);
    }
  }

  /** An error code. FORMERR, NOTIMP, BADVERS without OPT: the upstream may have stumbled over EDNS. */
  private handleError(code: number, hasOpt: boolean): true {
    const isAboutQuery = code === Rcode.FORMERR || code === Rcode.NOTIMP || code === Rcode.BADVERS;
    if (!isAboutQuery || !this.query.hasEdns || hasOpt) return this.decline(code);
    this.context.counters.ednsFallbacks++;
    this.replied();
    this.ednsRefused = true;
    this.resend(this.way, false);
    return true;
  }

  private moveToStream(): true {
    this.replied();
    this.resend(Way.STREAM, this.hasEdns);
    return true;
  }

  private resend(way: Way, hasEdns: boolean): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.exchange?.cancel();
    this.way = way;
    this.hasEdns = hasEdns;
    this.send();
    if (this.isOver) return;
    // A blackholed connection must leave time for the fallback, and a slow one time for its handshake.
    if (this.hasFallback) {
      const waitMs = this.endpoint.health.patienceMs(1);
      this.timer = setTimeout(() => this.fallsBackFromStream(), waitMs);
    }
    this.report(this, AttemptEvent.RESENT);
  }

  private send(): void {
    const { context, endpoint, upstream, way } = this;
    const nowMs = context.now();
    this.sentMs = nowMs;
    // Over plain TCP, too: only there a folded case cannot be a forger's.
    const mixesCase = !upstream.isEncrypted && way !== Way.CONFIRM && endpoint.keepsCase(nowMs);
    this.query = buildQuery(this.request, this.hasEdns, upstream.isEncrypted, mixesCase, context.random);
    this.exchange = upstream.ask(this.query, this);
    if (this.exchange === null) {
      this.end();
      this.error = 'busy';
      this.report(this, AttemptEvent.FAILED);
      return;
    }
    context.counters.upstreamQueries++;
  }

  private decline(code: number): true {
    this.replied();
    this.end();
    this.rcode = code;
    this.report(this, AttemptEvent.DECLINED);
    return true;
  }

  private replied(): void {
    const nowMs = this.context.now();
    this.endpoint.health.replied(nowMs, Math.max(0, nowMs - this.sentMs));
  }

  private end(): void {
    clearTimeout(this.timer);
    this.isOver = true;
    this.exchange = null;
  }
}
