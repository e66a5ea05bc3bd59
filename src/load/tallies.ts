import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { isResponse, isTruncated, rcode } from '../wire/index.ts';
import { KINDS, type Kind } from './plan.ts';

const RCODES = 16;
const NANOSECONDS_PER_MS = 1e6;
/** Longer than any allowed timeout. */
const LONGEST_NANOSECONDS = 120e9;

/** HDR histogram with three significant figures from a nanosecond up. */
export function latencyHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: LONGEST_NANOSECONDS, figures: 3 });
}

/** Results of one category's queries. */
export class Tally {
  sent = 0;
  answered = 0;
  /** Sent, and unanswered when the timeout had passed. */
  lost = 0;
  /** Due but never sent: the generator or a connection stayed behind. */
  unsent = 0;
  /** Answered with something other than a DNS response, or an HTTP status other than 200. */
  invalid = 0;
  truncated = 0;
  readonly rcodes = new Float64Array(RCODES);
  readonly latency = latencyHistogram();

  add(other: Tally): void {
    this.sent += other.sent;
    this.answered += other.answered;
    this.lost += other.lost;
    this.unsent += other.unsent;
    this.invalid += other.invalid;
    this.truncated += other.truncated;
    for (let i = 0; i < RCODES; i++) this.rcodes[i] += other.rcodes[i];
    this.latency.add(other.latency);
  }
}

/** Queries are counted by kind and by whether their source is registered. */
export const CATEGORIES = KINDS.length * 2;
/** Category of warm-up queries. */
export const WARM_UP = CATEGORIES;

export function categoryOf(kind: number, isUnregistered: boolean): number {
  return kind * 2 + (isUnregistered ? 1 : 0);
}

/** Counts of a running load. Allocates nothing. */
export class Tallies {
  /** Answers that match no outstanding query: late, repeated, or foreign. */
  unexpected = 0;
  /** Queries sent more than LATE_MS behind their due time, and the longest such delay. */
  late = 0;
  maxDelayMs = 0;
  /** Connections that failed or that the server closed. */
  connectionFaults = 0;
  /** Latency of the answers since the last reset. */
  readonly recent = latencyHistogram();
  private readonly tallies = Array.from({ length: CATEGORIES + 1 }, () => new Tally());

  sent(category: number, delayMs: number): void {
    this.tallies[category].sent++;
    if (category === WARM_UP) return;
    if (delayMs > LATE_MS) this.late++;
    if (delayMs > this.maxDelayMs) this.maxDelayMs = delayMs;
  }

  unsent(category: number, count = 1): void {
    this.tallies[category].unsent += count;
  }

  lost(category: number): void {
    this.tallies[category].lost++;
  }

  /** @param message DNS message of at least a header */
  answered(category: number, latencyMs: number, message: Uint8Array): void {
    const tally = this.tallies[category];
    if (!isResponse(message)) {
      tally.invalid++;
      return;
    }
    const nanoseconds = Math.max(1, Math.round(latencyMs * NANOSECONDS_PER_MS));
    tally.answered++;
    tally.rcodes[rcode(message)]++;
    if (isTruncated(message)) tally.truncated++;
    tally.latency.record(nanoseconds);
    this.recent.record(nanoseconds);
  }

  invalid(category: number): void {
    this.tallies[category].invalid++;
  }

  /** Tally of one kind and sort of source. */
  of(kind: Kind, isUnregistered: boolean): Tally {
    return this.tallies[categoryOf(KINDS.indexOf(kind), isUnregistered)];
  }

  /** Sum over the kinds. */
  total(isUnregistered: boolean): Tally {
    const sum = new Tally();
    for (const kind of KINDS) sum.add(this.of(kind, isUnregistered));
    return sum;
  }

  /** Queries sent, answered and lost so far, warm-up included. */
  get progress(): { sent: number; answered: number; lost: number } {
    const sum = { sent: 0, answered: 0, lost: 0 };
    for (const tally of this.tallies) {
      sum.sent += tally.sent;
      sum.answered += tally.answered;
      sum.lost += tally.lost;
    }
    return sum;
  }
}

/** A query sent later than this after its due time is late: the generator is behind. */
export const LATE_MS = 1;
