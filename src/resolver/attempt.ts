import { isTruncated, Rcode, rcode } from '../wire/index.ts';
import type { Answer, ReplyReader } from './answer.ts';
import type { ResolverCounters } from './counters.ts';
import type { Endpoint } from './endpoint.ts';
import { buildQuery, type UpstreamQuery } from './query.ts';
import type { RandomSource } from './random.ts';
import { Match, matchReply, ReplySurvey } from './reply.ts';
import type { ResolveRequest } from './request.ts';
import type { Exchange, ReplyListener, Upstream, UpstreamFault } from './upstream/upstream.ts';

/** RFC 6672 2.2: the name that a DNAME leads to is too long. An answer, like NXDOMAIN. */
const YXDOMAIN = 6;
/** How long a better reply is waited for after one that answers the question but cannot be used. */
const UNUSABLE_GRACE_MS = 200;

/** Why an attempt ended without a reply. */
export type AttemptFault = UpstreamFault | 'busy';

/** Who made the attempt. Never called from within `start`, but for `failed` with `busy`. */
export interface AttemptOwner {
  answered(attempt: Attempt, answer: Answer): void;
  /** The upstream replied that it has no answer. */
  declined(attempt: Attempt, rcode: number): void;
  failed(attempt: Attempt, fault: AttemptFault): void;
  /** The question was sent again in another way. */
  resent(attempt: Attempt): void;
}

export interface AttemptParts {
  readonly now: () => number;
  readonly random: RandomSource;
  readonly counters: ResolverCounters;
}

const survey = new ReplySurvey();

/**
 * One upstream asked one question: over UDP first if it is that, over a stream when the reply is truncated
 * or may be forged, without EDNS when the upstream does not know it (RFC 6891 7). There is no way back, so
 * three queries are sent at most.
 */
export class Attempt implements ReplyListener {
  readonly endpoint: Endpoint;
  /** When the question was last sent. */
  sentMs = 0;
  /** Whether it ended, in whatever way. */
  over = false;
  /** Whether another upstream was asked before its time was over. */
  hedged = false;
  private readonly request: ResolveRequest;
  private readonly reader: ReplyReader;
  private readonly owner: AttemptOwner;
  private readonly parts: AttemptParts;
  private upstream: Upstream;
  private query: UpstreamQuery;
  private exchange: Exchange | null = null;
  private ednsRefused = false;
  private grace: NodeJS.Timeout | undefined;

  constructor(
    endpoint: Endpoint,
    request: ResolveRequest,
    reader: ReplyReader,
    owner: AttemptOwner,
    parts: AttemptParts,
  ) {
    const nowMs = parts.now();
    this.endpoint = endpoint;
    this.request = request;
    this.reader = reader;
    this.owner = owner;
    this.parts = parts;
    this.upstream = endpoint.transports.first;
    this.query = this.build(endpoint.knowsEdns(nowMs));
  }

  start(): void {
    this.send();
  }

  /** Ends it in silence. */
  cancel(): void {
    this.exchange?.cancel();
    this.end();
  }

  reply(message: Uint8Array, length: number): boolean {
    const match = matchReply(message, length, this.query);
    if (match === Match.NONE) return false;
    if (match === Match.CASE_DIFFERS && this.upstream.mayBeSpoofed) {
      this.parts.counters.caseMismatches++;
      return this.moveToStream();
    }
    if (match === Match.HEADER_ONLY) return this.couldNotRead(rcode(message), false);
    if (isTruncated(message)) {
      // A stream has room for all: TC there means that the upstream has no more to give.
      if (!this.upstream.mayBeSpoofed) return this.decline(Rcode.SERVFAIL);
      this.parts.counters.truncated++;
      return this.moveToStream();
    }
    if (!survey.read(message, length, this.query.questionEnd)) return this.unusable();
    return this.judge(message, length, match);
  }

  failed(fault: UpstreamFault): void {
    this.exchange = null;
    if (this.over) return;
    if (fault === 'flooded') {
      this.parts.counters.floods++;
      this.upstream = this.endpoint.transports.stream;
      this.resend(this.query.hasEdns);
      return;
    }
    this.end();
    this.endpoint.health.failed(this.parts.now(), this.sentMs);
    this.owner.failed(this, fault);
  }

  private judge(message: Uint8Array, length: number, match: number): boolean {
    const code = survey.rcode;
    if (code === Rcode.FORMERR || code === Rcode.NOTIMP) return this.couldNotRead(code, survey.hasOpt);
    if (code === Rcode.BADVERS) return this.couldNotRead(code, false);
    if (survey.lame) return this.decline(Rcode.SERVFAIL);
    if (code === Rcode.REFUSED) return this.refused();
    if (code !== Rcode.NOERROR && code !== Rcode.NXDOMAIN && code !== YXDOMAIN) return this.decline(code);
    // Names that point at the question's should not take on the case that was made up for it.
    for (let at = 0; at < this.request.nameLength; at++) message[12 + at] = this.request.name[at];
    const answer = this.reader.read(message, length);
    if (answer === null) return this.unusable();
    const nowMs = this.parts.now();
    if (this.ednsRefused) this.endpoint.rememberNoEdns(nowMs);
    if (match === Match.CASE_DIFFERS) this.endpoint.rememberFoldsCase(nowMs);
    this.replied();
    this.end();
    this.owner.answered(this, answer);
    return true;
  }

  /**
   * Malformed, or a chain of names without an end. If it was forged, the true one comes after it; if the
   * upstream has no better, waiting on would make its silence look like a failure.
   */
  private unusable(): boolean {
    if (!this.upstream.mayBeSpoofed) return this.decline(Rcode.SERVFAIL);
    this.grace ??= setTimeout(() => {
      this.exchange?.cancel();
      this.decline(Rcode.SERVFAIL);
    }, UNUSABLE_GRACE_MS);
    return false;
  }

  /** FORMERR or NOTIMP: without OPT in it, it may be EDNS that the upstream stumbled over. */
  private couldNotRead(code: number, hasOpt: boolean): boolean {
    if (!this.query.hasEdns || hasOpt) return this.decline(code);
    this.parts.counters.ednsFallbacks++;
    this.replied();
    this.ednsRefused = true;
    this.resend(false);
    return true;
  }

  private moveToStream(): boolean {
    this.replied();
    this.upstream = this.endpoint.transports.stream;
    this.resend(this.query.hasEdns);
    return true;
  }

  private resend(withEdns: boolean): void {
    clearTimeout(this.grace);
    this.grace = undefined;
    this.exchange?.cancel();
    this.query = this.build(withEdns);
    this.send();
    if (!this.over) this.owner.resent(this);
  }

  private build(withEdns: boolean): UpstreamQuery {
    const { now, random } = this.parts;
    // Over plain TCP too: it is where an upstream is found out that folds case.
    const mixCase = !this.upstream.isEncrypted && this.endpoint.keepsCase(now());
    return buildQuery(this.request, withEdns, this.upstream.isEncrypted, mixCase, random);
  }

  private send(): void {
    this.sentMs = this.parts.now();
    this.exchange = this.upstream.ask(this.query, this);
    if (this.exchange === null) {
      this.end();
      this.owner.failed(this, 'busy');
      return;
    }
    this.parts.counters.upstreamQueries++;
  }

  private decline(code: number): true {
    this.replied();
    this.end();
    this.owner.declined(this, code);
    return true;
  }

  /** It does not serve us, which is its failure: what it measures up to otherwise is of no use. */
  private refused(): true {
    this.end();
    this.endpoint.health.failed(this.parts.now(), this.sentMs);
    this.owner.declined(this, Rcode.REFUSED);
    return true;
  }

  private replied(): void {
    const nowMs = this.parts.now();
    this.endpoint.health.replied(nowMs, Math.max(0, nowMs - this.sentMs));
  }

  private end(): void {
    clearTimeout(this.grace);
    this.over = true;
    this.exchange = null;
  }
}
