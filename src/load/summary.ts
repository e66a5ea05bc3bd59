import type { RecordableHistogram } from 'node:perf_hooks';
import { Rcode } from '../wire/index.ts';
import { KINDS, type Kind, type LoadPlan, type Transport } from './plan.ts';
import type { Tallies, Tally } from './tallies.ts';

/** Milliseconds; null if nothing was answered. */
export interface Latency {
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
}

/** Results of some of the queries, without the warm-up. */
export interface Figures {
  /** Sent and unsent. */
  readonly due: number;
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  readonly unsent: number;
  readonly invalid: number;
  readonly truncated: number;
  /** Percentage of due queries without an answer. */
  readonly lossPercent: number;
  readonly rcodes: Readonly<Record<string, number>>;
  readonly latencyMs: Latency;
}

/** Result of a load. */
export interface LoadSummary {
  readonly transport: Transport;
  readonly ratePerSecond: number;
  readonly seconds: number;
  /** Queries a second sent and answered, of all sources. */
  readonly sentPerSecond: number;
  readonly answersPerSecond: number;
  /** Null if no query came from such a source. */
  readonly registered: Figures | null;
  readonly unregistered: Figures | null;
  /** Of registered sources; absent if there is only one kind. */
  readonly kinds: Readonly<Partial<Record<Kind, Figures>>>;
  /** Quality of the load itself. */
  readonly generator: {
    readonly late: number;
    readonly maxDelayMs: number;
    readonly unexpected: number;
    readonly connectionFaults: number;
    readonly cpuSeconds: number;
  };
}

const RCODE_NAMES = new Map<number, string>(Object.entries(Rcode).map(([name, code]) => [code, name]));

export function summarize(
  plan: LoadPlan,
  tallies: Tallies,
  measured: { seconds: number; cpuSeconds: number },
): LoadSummary {
  const groups = [tallies.total(false), tallies.total(true)];
  const [registered, unregistered] = groups.map((tally) => figuresOrNull(tally));
  const kinds = KINDS.map((kind) => [kind, figuresOrNull(tallies.of(kind, false))] as const);
  const asked = kinds.filter(([, figures]) => figures !== null);
  const sum = (pick: (tally: Tally) => number): number => pick(groups[0]) + pick(groups[1]);
  return {
    transport: plan.transport,
    ratePerSecond: plan.ratePerSecond,
    seconds: measured.seconds,
    sentPerSecond: Math.round(sum(({ sent }) => sent) / measured.seconds),
    answersPerSecond: Math.round(sum(({ answered }) => answered) / measured.seconds),
    registered,
    unregistered,
    kinds: asked.length > 1 ? Object.fromEntries(asked) : {},
    generator: {
      late: tallies.late,
      maxDelayMs: rounded(tallies.maxDelayMs),
      unexpected: tallies.unexpected,
      connectionFaults: tallies.connectionFaults,
      cpuSeconds: rounded(measured.cpuSeconds),
    },
  };
}

function figuresOrNull(tally: Tally): Figures | null {
  return tally.sent + tally.unsent === 0 ? null : figuresOf(tally);
}

export function figuresOf(tally: Tally): Figures {
  const { sent, answered, lost, unsent, invalid, truncated } = tally;
  const due = sent + unsent;
  const rcodes: Record<string, number> = {};
  for (const [code, count] of tally.rcodes.entries()) {
    if (count > 0) rcodes[RCODE_NAMES.get(code) ?? `RCODE${code}`] = count;
  }
  const lossPercent = due === 0 ? 0 : (100 * (lost + unsent + invalid)) / due;
  const latencyMs = latencyOf(tally.latency);
  return { due, sent, answered, lost, unsent, invalid, truncated, lossPercent, rcodes, latencyMs };
}

export function latencyOf(histogram: RecordableHistogram): Latency {
  const at = (percentile: number): number | null => milliseconds(histogram, histogram.percentile(percentile));
  return {
    mean: milliseconds(histogram, histogram.mean),
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p999: at(99.9),
    max: milliseconds(histogram, histogram.max),
  };
}

function milliseconds(histogram: RecordableHistogram, nanoseconds: number): number | null {
  return histogram.count === 0 ? null : rounded(nanoseconds / 1e6);
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
