import type { Figures, LoadSummary } from './summary.ts';

/** Limits that a load must meet; null: no limit. */
export interface Thresholds {
  readonly maxP99Ms: number | null;
  readonly maxLossPercent: number | null;
}

/**
 * Lists the limits that a load exceeded, one sentence each. Counts registered sources, as an edge drops others'
 * queries by design; without any, it counts the unregistered ones.
 */
export function exceeded(summary: LoadSummary, thresholds: Thresholds): string[] {
  const figures: Figures | null = summary.registered ?? summary.unregistered;
  const { maxP99Ms, maxLossPercent } = thresholds;
  if (figures === null) return maxP99Ms === null && maxLossPercent === null ? [] : ['nothing was sent'];
  const found: string[] = [];
  const { p99 } = figures.latencyMs;
  if (maxP99Ms !== null && !(p99 !== null && p99 <= maxP99Ms)) {
    found.push(
      `p99 is ${p99 === null ? 'unknown: nothing was answered' : `${p99} ms`}, above ${maxP99Ms} ms`,
    );
  }
  if (maxLossPercent !== null && figures.lossPercent > maxLossPercent) {
    found.push(`loss is ${figures.lossPercent.toFixed(4)} %, above ${maxLossPercent} %`);
  }
  return found;
}
