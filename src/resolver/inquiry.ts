import { Attempt, type AttemptContext, AttemptEvent } from './attempt.ts';
import type { BuiltEntry } from './cache/entry.ts';
import { type Endpoint, orderEndpoints } from './endpoint.ts';
import { Tried } from './forward/tried.ts';
import type { HedgeBudget } from './hedge-budget.ts';
import type { ResolveRequest } from './request.ts';
import type { ResolverTimeouts } from './timeouts.ts';

/*
 * One question on its way through the upstreams. The best upstream is asked first; when it declines, fails or is slower
 * than usual, the next one is asked beside it. The first answer ends the inquiry; until then every upstream that was asked may give it.
 *
 *     state     timer runs for            answer    no answer   timer       out of time
 *     HEDGING   the hedging delay         SETTLE    ADVANCE     HEDGE       GIVE_UP
 *     PATIENT   patience with this try    SETTLE    ADVANCE     NEXT        GIVE_UP
 *     LAST      the last open attempts    SETTLE    ADVANCE     GIVE_UP     GIVE_UP
 *     SETTLED   -                         -         -           -           -
 *
 *     SETTLE    the answer is the result
 *     ADVANCE   an upstream that was not asked yet is asked at once. Else, if one declined, the silent ones get one more
 *               patience; with nobody left to wait for, give up; else the running timer leads on
 *     HEDGE     asks another upstream if the budget has room, else waits on: PATIENT
 *     NEXT      asks the next upstream, in turns; without tries left: LAST
 *     GIVE_UP   the result is what the last upstream said, or a failure
 */
const State = { HEDGING: 0, PATIENT: 1, LAST: 2, SETTLED: 3 } as const;
type State = (typeof State)[keyof typeof State];
const Event = { ANSWER: 0, NO_ANSWER: 1, TIMER: 2, OUT_OF_TIME: 3 } as const;
type Event = (typeof Event)[keyof typeof Event];
const Action = { NOTHING: 0, SETTLE: 1, ADVANCE: 2, HEDGE: 3, NEXT: 4, GIVE_UP: 5 } as const;
type Action = (typeof Action)[keyof typeof Action];

const { NOTHING, SETTLE, ADVANCE, HEDGE, NEXT, GIVE_UP } = Action;
const ACTIONS: readonly (readonly Action[])[] = [
  [SETTLE, ADVANCE, HEDGE, GIVE_UP],
  [SETTLE, ADVANCE, NEXT, GIVE_UP],
  [SETTLE, ADVANCE, GIVE_UP, GIVE_UP],
  [NOTHING, NOTHING, NOTHING, NOTHING],
];

/** RFC 9520 3.1: a question goes to one server over one transport three times at most. */
const MAX_TRIES_PER_ENDPOINT = 3;
/** In all, however many upstreams there are. */
const MAX_TRIES = 8;

/** Result of an inquiry. */
export type InquiryResult =
  | { readonly kind: 'answered'; readonly answer: BuiltEntry }
  /** Every upstream that replied has no answer; the last one's rcode. */
  | { readonly kind: 'declined'; readonly rcode: number }
  /** Nobody replied. */
  | { readonly kind: 'failed'; readonly unreachable: boolean }
  /** There was no room to ask, or the resolver closes: says nothing about the question. */
  | { readonly kind: 'busy' };

/** Shared by all inquiries of a resolver. */
export interface InquiryContext extends AttemptContext {
  readonly timeouts: ResolverTimeouts;
  /** Replaced as a whole, never changed. */
  endpoints: readonly Endpoint[];
  readonly hedges: HedgeBudget;
  readonly settled: (inquiry: Inquiry, result: InquiryResult) => void;
}

/* One function each for all inquiries: a closure would live as long as its question. */
const afterReads = (inquiry: Inquiry): void => inquiry.timeIsUp();
const actOnTimer = (inquiry: Inquiry): void => inquiry.actOnTimer();

export class Inquiry {
  readonly key: string;
  /** Must not change. */
  readonly request: ResolveRequest;
  private readonly context: InquiryContext;
  private readonly order: readonly Endpoint[];
  readonly startedMs: number;
  private readonly overallMs: number;
  private readonly maxTries: number;
  private readonly triesLeft: number[];
  private readonly attempts: Attempt[] = [];
  private nextIndex = 0;
  private state: State = State.PATIENT;
  private timer: NodeJS.Timeout | undefined;
  private immediate: NodeJS.Immediate | undefined;
  private timerEvent: Event = Event.TIMER;
  /** Patience left after the hedging delay. */
  private patienceLeftMs = 0;
  /** Rcode of the last upstream that declined; -1: none has. */
  private lastRcode = -1;
  /** An empty answer of an upstream that may be lame: better than none. */
  private emptyAnswer: BuiltEntry | null = null;
  private decliners: Endpoint[] | null = null;
  private hasFailed = false;
  private isUnreachable = false;

  constructor(context: InquiryContext, key: string, request: ResolveRequest) {
    this.context = context;
    this.key = key;
    this.request = request;
    const { timeouts, endpoints } = context;
    this.startedMs = context.now();
    this.order = orderEndpoints(endpoints, this.startedMs);
    // In an outage a question only finds out whether an upstream is back: fewer tries, an early end.
    const isOutage = this.order.every(({ health }) => health.dead);
    const tries = isOutage ? this.order.length : Math.max(MAX_TRIES_PER_ENDPOINT, this.order.length);
    this.triesLeft = this.order.map(() => (isOutage ? 1 : MAX_TRIES_PER_ENDPOINT));
    this.maxTries = Math.min(tries, MAX_TRIES);
    this.overallMs = isOutage ? timeouts.tryMs : timeouts.overallMs;
  }

  /** Asks the first upstream. The result may come during this call. */
  start(): void {
    this.context.hedges.earn();
    const { tried = Tried.NOTHING } = this.request;
    if (tried === Tried.SILENT || tried === Tried.DECLINED) this.skipFirst(tried);
    this.next(tried === Tried.TRUNCATED || tried === Tried.DOUBTFUL);
  }

  /** Ends with an answer that a UDP thread got. */
  supply(answer: BuiltEntry): void {
    if (this.actionFor(Event.ANSWER) === SETTLE) this.settle({ kind: 'answered', answer }, null);
  }

  /** Ends at once, as busy. */
  abort(): void {
    if (this.state === State.SETTLED) return;
    for (const attempt of this.attempts) attempt.cancel();
    this.settle({ kind: 'busy' }, null);
  }

  private readonly onAttempt = (attempt: Attempt, event: AttemptEvent): void => {
    if (event === AttemptEvent.RESENT) {
      // Longer than the attempt waits for its own fallback.
      const extraRounds = attempt.hasFallback ? 2 : 0;
      if (attempt === this.attempts.at(-1)) this.startTryTimer(attempt.endpoint, extraRounds);
    } else if (event === AttemptEvent.ANSWERED) this.settleWith(attempt);
    else {
      if (event === AttemptEvent.DECLINED) this.noteDecline(attempt);
      else if (attempt.error !== 'busy') this.hasFailed = true;
      if (attempt.error === 'unreachable') this.isUnreachable = true;
      this.act(Event.NO_ANSWER);
    }
  };

  private settleWith({ endpoint, answer }: Attempt): void {
    endpoint.health.useful(true);
    if (this.actionFor(Event.ANSWER) !== SETTLE) return;
    this.settle({ kind: 'answered', answer: answer! }, endpoint);
  }

  private noteDecline({ endpoint, rcode, answer }: Attempt): void {
    this.lastRcode = rcode;
    if (answer !== null) this.emptyAnswer = answer;
    this.triesLeft[this.order.indexOf(endpoint)] = 0;
    this.decliners ??= [];
    this.decliners.push(endpoint);
  }

  /**
   * Acts after the sockets were read: a thread that was held up finds its timers due while replies lie unread, and
   * asking everything again would hold it up for longer.
   */
  timeIsUp(): void {
    this.immediate = setImmediate(actOnTimer, this);
  }

  actOnTimer(): void {
    this.act(this.timerEvent);
  }

  private actionFor(event: Event): Action {
    return ACTIONS[this.state][event];
  }

  private act(event: Event): void {
    const action = this.actionFor(event);
    if (action === ADVANCE) this.advance();
    else if (action === HEDGE) this.hedge();
    else if (action === NEXT) this.next(false);
    else if (action === GIVE_UP) this.giveUp();
  }

  private advance(): void {
    if (this.hasUntried()) {
      this.next(false);
      return;
    }
    const open = this.attempts.findLast((attempt) => !attempt.isOver);
    if (open === undefined) {
      // The same upstream is given a moment before it is asked again: its timer runs.
      if (!this.canTry()) this.giveUp();
    } else if (this.lastRcode >= 0) this.wait(open.endpoint.health.patienceMs(0), State.LAST);
  }

  private hasUntried(): boolean {
    return this.attempts.length < this.maxTries && this.nextIndex < this.order.length;
  }

  private canTry(): boolean {
    if (this.lastRcode >= 0) return this.hasUntried();
    return this.attempts.length < this.maxTries && this.triesLeft.some((left) => left > 0);
  }

  /** Counts a try that a UDP thread has made for this question. */
  private skipFirst(tried: Tried): void {
    this.triesLeft[0] = tried === Tried.DECLINED && this.order.length > 1 ? 0 : this.triesLeft[0] - 1;
    if (this.order.length > 1) this.nextIndex = 1;
    this.hasFailed = true;
  }

  private next(overStream: boolean): void {
    if (!this.canTry()) {
      this.waitForLast();
      return;
    }
    while (this.triesLeft[this.nextIndex % this.order.length] === 0) this.nextIndex++;
    const index = this.nextIndex++ % this.order.length;
    const endpoint = this.order[index];
    this.triesLeft[index]--;
    if (this.attempts.length > 0) this.context.counters.retries++;
    const attempt = new Attempt(endpoint, this.request, this.context, this.onAttempt);
    this.attempts.push(attempt);
    // Before it starts: it may fail at once and lead on to the next.
    this.startTryTimer(endpoint);
    attempt.start(overStream, !this.canTry() && this.wasSilent(endpoint, attempt));
  }

  /** True if this upstream was asked before, by us or by a UDP thread. */
  private wasSilent(endpoint: Endpoint, attempt: Attempt): boolean {
    if (endpoint === this.order[0] && this.request.tried === Tried.SILENT) return true;
    return this.attempts.some((other) => other !== attempt && other.endpoint === endpoint);
  }

  private startTryTimer({ health }: Endpoint, extraRounds = 0): void {
    const round = Math.floor((this.attempts.length - 1) / this.order.length) + extraRounds;
    const hedgeMs = this.hasUntried() ? health.hedgeMs() : null;
    const patienceMs = health.patienceMs(round);
    if (hedgeMs !== null && hedgeMs < patienceMs) {
      this.patienceLeftMs = patienceMs - hedgeMs;
      this.wait(hedgeMs, State.HEDGING);
    } else this.wait(patienceMs, State.PATIENT);
  }

  private hedge(): void {
    if (!this.context.hedges.spend()) {
      this.wait(this.patienceLeftMs, State.PATIENT);
      return;
    }
    this.context.counters.hedges++;
    const slow = this.attempts.at(-1);
    if (slow !== undefined) slow.isHedged = true;
    this.next(false);
  }

  private waitForLast(): void {
    // If one has declined, the silent ones have had their time.
    if (this.lastRcode >= 0 || this.attempts.every((attempt) => attempt.isOver)) this.giveUp();
    else this.wait(this.overallMs, State.LAST);
  }

  private wait(waitMs: number, state: State): void {
    this.clearTimer();
    this.state = state;
    const leftMs = this.startedMs + this.overallMs - this.context.now();
    this.timerEvent = leftMs <= waitMs ? Event.OUT_OF_TIME : Event.TIMER;
    this.timer = setTimeout(afterReads, Math.max(0, Math.min(leftMs, waitMs)), this);
  }

  private clearTimer(): void {
    clearTimeout(this.timer);
    clearImmediate(this.immediate);
  }

  private giveUp(): void {
    const isOpen = this.attempts.some((attempt) => !attempt.isOver);
    if (this.emptyAnswer !== null) this.settle({ kind: 'answered', answer: this.emptyAnswer }, null);
    else if (this.lastRcode >= 0) this.settle({ kind: 'declined', rcode: this.lastRcode }, null);
    else if (this.hasFailed || isOpen) {
      this.settle({ kind: 'failed', unreachable: this.isUnreachable && !isOpen }, null);
    } else this.settle({ kind: 'busy' }, null);
  }

  private settle(result: InquiryResult, winner: Endpoint | null): void {
    this.clearTimer();
    this.state = State.SETTLED;
    for (const attempt of this.attempts) {
      if (attempt.isOver) continue;
      attempt.cancel();
      this.evaluateSilence(attempt, winner);
    }
    if (winner !== null) {
      for (const endpoint of this.decliners ?? []) if (endpoint !== winner) endpoint.health.useful(false);
    }
    this.context.settled(this, result);
  }

  /** Silence makes an upstream suspect if another one answered, or if it lasted. */
  private evaluateSilence(attempt: Attempt, winner: Endpoint | null): void {
    const { endpoint, startedMs, sentMs, isHedged } = attempt;
    const { minTryMs, tryMs } = this.context.timeouts;
    const nowMs = this.context.now();
    const silentMs = nowMs - sentMs;
    const isOutrun = winner !== null && winner !== endpoint && attempt !== this.attempts.at(-1);
    if (isOutrun) endpoint.health.outrun(silentMs);
    // One that was slow for once is not yet one that fails.
    const counts = isOutrun ? !isHedged || silentMs >= minTryMs : silentMs >= tryMs;
    if (counts) endpoint.silent(nowMs, startedMs);
  }
}
