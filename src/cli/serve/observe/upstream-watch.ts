import { QueryVerdict } from '../../../dns/index.ts';
import { type CounterBlock, queryCounter, Transport } from '../../../metrics/index.ts';
import type { ReadinessCheck } from '../../../metrics/scrape/index.ts';

const TICK_MS = 1000;

export interface UpstreamWatchOptions {
  /** Current health of the upstreams. */
  readonly upstreams: () => readonly { readonly healthy: boolean }[];
  /** Misses answered so far: with stale answers, and with SERVFAIL. */
  readonly misses: () => { readonly stale: number; readonly failed: number };
  /** Time without a working upstream after which the edge is not ready; 0: never. */
  readonly downSeconds: number;
  /** Monotonic clock, in ms. */
  readonly now: () => number;
}

/** Notices that no upstream works, so that a balancer or route can turn to another edge. */
export class UpstreamWatch {
  private readonly options: UpstreamWatchOptions;
  private readonly timer: NodeJS.Timeout;
  private downSinceMs: number | null = null;
  private missesBefore = { stale: 0, failed: 0 };

  constructor(options: UpstreamWatchOptions) {
    this.options = options;
    this.timer = setInterval(() => this.tick(), TICK_MS).unref();
  }

  /** Not ready once no upstream has worked for downSeconds, unless stale answers cover most misses since then. */
  readiness(): ReturnType<ReadinessCheck['check']> {
    this.tick();
    if (this.downSinceMs === null) return { ready: true, state: 'up' };
    const downSeconds = Math.round((this.options.now() - this.downSinceMs) / 1000);
    const { stale, failed } = this.options.misses();
    const detail = {
      downSeconds,
      stale: stale - this.missesBefore.stale,
      failed: failed - this.missesBefore.failed,
    };
    const isLong = this.options.downSeconds > 0 && downSeconds >= this.options.downSeconds;
    if (detail.stale > detail.failed) return { ready: true, state: 'stale', detail };
    return { ready: !isLong, state: 'down', detail };
  }

  close(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const upstreams = this.options.upstreams();
    if (upstreams.length === 0 || upstreams.some(({ healthy }) => healthy)) this.downSinceMs = null;
    else if (this.downSinceMs === null) {
      this.downSinceMs = this.options.now();
      this.missesBefore = { ...this.options.misses() };
    }
  }
}

/** Misses that the threads of these counters have answered. */
export function countMisses(blocks: readonly CounterBlock[]): { stale: number; failed: number } {
  const count = (verdict: QueryVerdict): number => {
    let sum = 0;
    for (const { values } of blocks) {
      for (const transport of Object.values(Transport)) sum += values[queryCounter(transport, verdict)];
    }
    return sum;
  };
  return { stale: count(QueryVerdict.STALE), failed: count(QueryVerdict.SERVFAIL) };
}
