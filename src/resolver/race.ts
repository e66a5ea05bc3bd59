import type { Answer, ReplyReader } from './answer.ts';
import { Attempt, type AttemptFault, type AttemptOwner, type AttemptParts } from './attempt.ts';
import { type Endpoint, orderEndpoints } from './endpoint.ts';
import type { HedgeBudget } from './hedge-budget.ts';
import type { ResolveRequest } from './request.ts';
import type { ResolverTimeouts } from './timeouts.ts';

/** RFC 9520 3.1: a question goes to one server over one transport three times at most. */
const MAX_TRIES_PER_ENDPOINT = 3;
/** However many upstreams there are. */
const MAX_TRIES = 8;

/** What a race does when its timer runs out. */
const Turn = { NEXT: 0, HEDGE: 1, GIVE_UP: 2, EXPIRE_PROBE: 3 } as const;
type Turn = (typeof Turn)[keyof typeof Turn];

/* One function for all races: a closure each would live as long as its question. */
const afterReads = (race: Race): void => race.timeIsUp();
const takeTurn = (race: Race): void => race.takeTurn();

/** How a question ended. */
export type Outcome =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** All that replied have no answer; the last one's rcode. */
  | { readonly kind: 'declined'; readonly rcode: number }
  /** Nobody replied. */
  | { readonly kind: 'failed'; readonly unreachable: boolean }
  /** There was no room to ask, or the resolver closes: this says nothing about the question. */
  | { readonly kind: 'busy' };

/** Whose question it is. */
export interface RaceClient extends ReplyReader {
  settled(outcome: Outcome): void;
}

export interface RaceOwner {
  /** Nothing of the race is left, its probe included. */
  done(race: Race): void;
}

export interface RaceParts extends AttemptParts {
  readonly endpoints: readonly Endpoint[];
  readonly timeouts: ResolverTimeouts;
  readonly hedges: HedgeBudget;
}

/**
 * One question on its way: the best upstream is asked; when it declines, fails or is slower than it uses to
 * be, the next one; whoever answers first ends it. Those asked before are still listened to.
 */
export class Race implements AttemptOwner {
  private readonly parts: RaceParts;
  private readonly request: ResolveRequest;
  private readonly client: RaceClient;
  private readonly owner: RaceOwner;
  private readonly order: readonly Endpoint[];
  private readonly startedMs: number;
  private readonly triesLeft: number[];
  private readonly attempts: Attempt[] = [];
  private probe: Attempt | null = null;
  private readonly maxTries: number;
  private readonly overallMs: number;
  private timer: NodeJS.Timeout | undefined;
  private immediate: NodeJS.Immediate | undefined;
  /** What is to be done when the timer runs out. */
  private atTimeout: Turn = Turn.NEXT;
  /** After a hedge that the budget had no room for. */
  private patienceLeftMs = 0;
  private settled = false;
  private lastRcode = -1;
  private unreachable = false;
  private faulted = false;
  private decliners: Endpoint[] | null = null;
  private nextIndex = 0;

  constructor(parts: RaceParts, request: ResolveRequest, client: RaceClient, owner: RaceOwner) {
    this.parts = parts;
    this.request = request;
    this.client = client;
    this.owner = owner;
    this.startedMs = parts.now();
    this.order = orderEndpoints(parts.endpoints, this.startedMs);
    // Where all are dead, a question is only to find out whether one is back: fewer tries, an early end.
    const outage = this.order.every((endpoint) => endpoint.health.dead);
    this.triesLeft = this.order.map(() => (outage ? 1 : MAX_TRIES_PER_ENDPOINT));
    const tries = outage ? this.order.length : Math.max(MAX_TRIES_PER_ENDPOINT, this.order.length);
    this.maxTries = Math.min(tries, MAX_TRIES);
    this.overallMs = outage ? parts.timeouts.tryMs : parts.timeouts.overallMs;
  }

  start(): void {
    this.parts.hedges.earn();
    this.sendProbe();
    this.next();
  }

  /** Ends it at once. */
  abort(): void {
    for (const attempt of this.attempts) attempt.cancel();
    this.probe?.cancel();
    this.probe = null;
    if (!this.settled) this.finish({ kind: 'busy' });
    this.clearTimer();
    this.owner.done(this);
  }

  answered(attempt: Attempt, answer: Answer): void {
    attempt.endpoint.health.useful(true);
    if (attempt === this.probe) this.probe = null;
    if (!this.settled) this.settle({ kind: 'answered', answer }, attempt.endpoint);
    else this.doneIfOver();
  }

  declined(attempt: Attempt, rcode: number): void {
    if (this.endOfProbe(attempt)) return;
    this.lastRcode = rcode;
    // It has said what it has to say.
    this.triesLeft[this.order.indexOf(attempt.endpoint)] = 0;
    this.decliners ??= [];
    this.decliners.push(attempt.endpoint);
    this.advance();
  }

  failed(attempt: Attempt, fault: AttemptFault): void {
    if (this.endOfProbe(attempt)) return;
    if (fault !== 'busy') this.faulted = true;
    if (fault === 'unreachable') this.unreachable = true;
    this.advance();
  }

  resent(attempt: Attempt): void {
    if (attempt === this.attempts.at(-1)) this.arm(attempt.endpoint);
  }

  /** An attempt ended without an answer. */
  private advance(): void {
    if (this.settled) return;
    if (this.hasUntried()) {
      this.next();
      return;
    }
    const waiting = this.attempts.findLast((attempt) => !attempt.over);
    // Where one has declined, those that are silent get one more moment, not all the time there is.
    if (waiting !== undefined && this.lastRcode >= 0) {
      this.setTimer(waiting.endpoint.health.patienceMs(0), Turn.GIVE_UP);
      return;
    }
    // The same upstream is given a moment before it is asked again; the timer is running.
    if (waiting === undefined && !this.canTry()) this.giveUp();
  }

  private hasUntried(): boolean {
    return this.attempts.length < this.maxTries && this.nextIndex < this.order.length;
  }

  private canTry(): boolean {
    if (this.lastRcode >= 0) return this.hasUntried();
    return this.attempts.length < this.maxTries && this.triesLeft.some((left) => left > 0);
  }

  /** Asks the next upstream, in turns. */
  private next(): void {
    if (!this.canTry()) {
      this.waitForTheLast();
      return;
    }
    while (this.triesLeft[this.nextIndex % this.order.length] === 0) this.nextIndex++;
    const index = this.nextIndex++ % this.order.length;
    const endpoint = this.order[index];
    this.triesLeft[index]--;
    if (this.attempts.length > 0) this.parts.counters.retries++;
    const attempt = new Attempt(endpoint, this.request, this.client, this, this.parts);
    this.attempts.push(attempt);
    // Before it starts: it may fail at once and lead on to the next.
    this.arm(endpoint);
    attempt.start();
  }

  private arm(endpoint: Endpoint): void {
    const { health } = endpoint;
    const round = Math.floor((this.attempts.length - 1) / this.order.length);
    const hedgeMs = this.hasUntried() ? health.hedgeMs() : null;
    const patienceMs = health.patienceMs(round);
    if (hedgeMs !== null && hedgeMs < patienceMs) {
      this.patienceLeftMs = patienceMs - hedgeMs;
      this.setTimer(hedgeMs, Turn.HEDGE);
    } else this.setTimer(patienceMs, Turn.NEXT);
  }

  /** The upstream is slower than it uses to be: another one is asked beside it, where the budget has room for that. */
  private hedge(): void {
    if (this.parts.hedges.spend()) {
      this.parts.counters.hedges++;
      const slow = this.attempts.at(-1);
      if (slow !== undefined) slow.hedged = true;
      this.next();
    } else this.setTimer(this.patienceLeftMs, Turn.NEXT);
  }

  private waitForTheLast(): void {
    // Where one has declined, the silent ones have had their moment.
    if (this.lastRcode >= 0 || this.attempts.every((attempt) => attempt.over)) this.giveUp();
    else this.setTimer(this.overallMs, Turn.GIVE_UP);
  }

  /** Takes `turn` after waitMs, but ends the race when its time is over before that. */
  private setTimer(waitMs: number, turn: Turn): void {
    this.clearTimer();
    const leftMs = this.startedMs + this.overallMs - this.parts.now();
    this.atTimeout = leftMs <= waitMs ? Turn.GIVE_UP : turn;
    this.timer = setTimeout(afterReads, Math.max(0, Math.min(leftMs, waitMs)), this);
  }

  /**
   * Takes the turn after the sockets were read: when the thread was held up, timers run out while replies lie
   * there unread, and asking all of it again would hold it up for longer.
   */
  timeIsUp(): void {
    this.immediate = setImmediate(takeTurn, this);
  }

  takeTurn(): void {
    if (this.atTimeout === Turn.NEXT) this.next();
    else if (this.atTimeout === Turn.HEDGE) this.hedge();
    else if (this.atTimeout === Turn.GIVE_UP) this.giveUp();
    else if (this.probe !== null) this.expireProbe(this.probe);
  }

  private clearTimer(): void {
    clearTimeout(this.timer);
    clearImmediate(this.immediate);
  }

  private giveUp(): void {
    if (this.settled) return;
    const waiting = this.attempts.some((attempt) => !attempt.over);
    if (this.lastRcode >= 0) this.settle({ kind: 'declined', rcode: this.lastRcode }, null);
    else if (this.faulted || waiting) {
      this.settle({ kind: 'failed', unreachable: this.unreachable && !waiting }, null);
    } else this.settle({ kind: 'busy' }, null);
  }

  private settle(outcome: Outcome, winner: Endpoint | null): void {
    const nowMs = this.parts.now();
    for (const attempt of this.attempts) {
      if (attempt.over) continue;
      attempt.cancel();
      this.judgeUnheard(attempt, winner, nowMs);
    }
    if (winner !== null) this.judgeDeclined(winner);
    this.finish(outcome);
    this.doneIfOver();
  }

  private finish(outcome: Outcome): void {
    this.settled = true;
    this.clearTimer();
    this.client.settled(outcome);
  }

  /** Silence counts against an upstream if another one answered, or if it lasted. */
  private judgeUnheard(attempt: Attempt, winner: Endpoint | null, nowMs: number): void {
    const { health } = attempt.endpoint;
    const silentMs = nowMs - attempt.sentMs;
    const outrun = winner !== null && winner !== attempt.endpoint && attempt !== this.attempts.at(-1);
    if (outrun) health.outrun(silentMs);
    const { minTryMs, tryMs } = this.parts.timeouts;
    // One that was slow for once is not yet one that fails.
    const failed = outrun ? !attempt.hedged || silentMs >= minTryMs : silentMs >= tryMs;
    if (failed) health.failed(nowMs, attempt.sentMs);
  }

  private judgeDeclined(winner: Endpoint): void {
    for (const endpoint of this.decliners ?? []) {
      if (endpoint !== winner) endpoint.health.useful(false);
    }
  }

  /** Sends the question along to an upstream that had failed, if another one can be relied on meanwhile. */
  private sendProbe(): void {
    if (this.order.length === 1 || !this.order[0].health.healthy) return;
    const endpoint = this.order.find(({ health }) => health.probeDue(this.startedMs));
    if (endpoint === undefined) return;
    endpoint.health.probing(this.startedMs);
    this.parts.counters.probes++;
    this.probe = new Attempt(endpoint, this.request, this.client, this, this.parts);
    this.probe.start();
  }

  private endOfProbe(attempt: Attempt): boolean {
    if (attempt !== this.probe) return false;
    this.probe = null;
    if (this.settled) this.doneIfOver();
    return true;
  }

  private doneIfOver(): void {
    this.clearTimer();
    const probe = this.probe;
    if (probe === null) {
      this.owner.done(this);
      return;
    }
    const leftMs = probe.sentMs + this.parts.timeouts.tryMs - this.parts.now();
    this.atTimeout = Turn.EXPIRE_PROBE;
    this.timer = setTimeout(afterReads, Math.max(0, leftMs), this);
    this.timer.unref();
  }

  private expireProbe(probe: Attempt): void {
    probe.cancel();
    this.probe = null;
    probe.endpoint.health.failed(this.parts.now(), probe.sentMs);
    this.owner.done(this);
  }
}
