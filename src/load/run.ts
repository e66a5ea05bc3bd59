import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Generator, LoadRun } from './generator.ts';
import { checkPlan, type LoadPlan } from './plan.ts';
import { Schedule } from './schedule.ts';
import { StreamGenerator } from './stream/generator.ts';
import { type LoadSummary, latencyOf, summarize } from './summary.ts';
import { Tallies } from './tallies.ts';
import { Traffic } from './traffic.ts';
import { UdpGenerator } from './udp.ts';

/** Interval at which the event loop gets its turn, for signals and output. */
const TURN_MS = 100;
const PROGRESS_MS = 1000;
const CONNECT_MS = 5000;

export interface Progress {
  readonly phase: 'warm-up' | 'load' | 'drain';
  readonly elapsedSeconds: number;
  /** Since the previous progress. */
  readonly sentPerSecond: number;
  readonly answersPerSecond: number;
  /** Since the start. */
  readonly lost: number;
  /** Median of the answers since the previous progress; null if there were none. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
}

export interface LoadOptions {
  /** Monotonic clock in ms. */
  readonly now: () => number;
  /** 32 random bits. */
  readonly random: () => number;
  /** CPU time of the process so far, in seconds. */
  readonly cpuSeconds: () => number;
  /** Called about once a second with the counts so far. */
  readonly onProgress: (progress: Progress, tallies: Tallies) => void;
  /** Ends the load early; the counts until then are the result. */
  readonly signal?: AbortSignal;
}

/** Runs a load and counts the answers. @throws LoadPlanError, LoadUnavailableError */
export async function runLoad(
  plan: LoadPlan,
  options: LoadOptions,
): Promise<{ summary: LoadSummary; tallies: Tallies }> {
  checkPlan(plan);
  const { now, random, cpuSeconds } = options;
  const schedule = new Schedule(plan);
  const run: LoadRun = { plan, schedule, traffic: new Traffic(plan, random), tallies: new Tallies(), now };
  const generator = plan.transport === 'udp' ? new UdpGenerator(run) : new StreamGenerator(run);
  try {
    await generator.connected(CONNECT_MS);
    schedule.begin(now());
    const cpuBefore = cpuSeconds();
    await drive(run, generator, options);
    const seconds = Math.max((generator.endedMs! - schedule.startMs) / 1000 - plan.warmUpSeconds, 0.001);
    const measured = { seconds, cpuSeconds: cpuSeconds() - cpuBefore };
    return { summary: summarize(plan, run.tallies, measured), tallies: run.tallies };
  } finally {
    generator.close();
  }
}

async function drive(run: LoadRun, generator: Generator, options: LoadOptions): Promise<void> {
  const watch = new ProgressWatch(run, options);
  for (;;) {
    if (options.signal?.aborted) generator.stop();
    const isOver = await generator.work(run.now() + TURN_MS);
    watch.look();
    if (isOver) return;
    await nextTurn();
  }
}

/** Reports progress once a second. */
class ProgressWatch {
  private readonly run: LoadRun;
  private readonly options: LoadOptions;
  private lastMs: number;
  private last = { sent: 0, answered: 0 };

  constructor(run: LoadRun, options: LoadOptions) {
    this.run = run;
    this.options = options;
    this.lastMs = run.schedule.startMs;
  }

  look(): void {
    const { schedule, tallies, plan } = this.run;
    const nowMs = this.options.now();
    const seconds = (nowMs - this.lastMs) / 1000;
    if (nowMs - this.lastMs < PROGRESS_MS) return;
    const { sent, answered, lost } = tallies.progress;
    const { p50, p99, max } = latencyOf(tallies.recent);
    const elapsedSeconds = (nowMs - schedule.startMs) / 1000;
    const progress: Progress = {
      phase: nowMs > schedule.endMs ? 'drain' : elapsedSeconds < plan.warmUpSeconds ? 'warm-up' : 'load',
      elapsedSeconds: Math.round(elapsedSeconds * 10) / 10,
      sentPerSecond: Math.round((sent - this.last.sent) / seconds),
      answersPerSecond: Math.round((answered - this.last.answered) / seconds),
      lost,
      p50Ms: p50,
      p99Ms: p99,
      maxMs: max,
    };
    this.lastMs = nowMs;
    this.last = { sent, answered };
    tallies.recent.reset();
    this.options.onProgress(progress, tallies);
  }
}
