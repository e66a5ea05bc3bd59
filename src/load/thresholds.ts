import type { Figures, LoadSummary } from './summary.ts';

/** What a load must keep to; null: no limit. */
export interface Thresholds {
  readonly maxP99Ms: number | null;
  readonly maxLossPercent: number | null;
}

/**
 * What a load did not keep to, a sentence each. The registered sources count: an edge drops the others' queries by
 * design. Where there were none, the unregistered ones do.
 */
export function exceeded(summary: LoadSummary, thresholds: Thresholds): string[] {
  const figures: Figures | null = summary.registered ?? summary.unregistered;
  const { maxP99Ms, maxLossPercent } = thresholds;
  if (figures === null) return maxP99Ms === null && maxLossPercent === null ? [] : ['nothing was sent'];
  const faults: string[] = [];
  const { p99 } = figures.latencyMs;
  if (maxP99Ms !== null && !(p99 !== null && p99 <= maxP99Ms)) {
    faults.push(
      `p99 is ${p99 === null ? 'unknown: nothing was answered' : `${p99} ms`}, above ${maxP99Ms} ms`,
    );
  }
  if (maxLossPercent !== null && figures.lossPercent > maxLossPercent) {
    faults.push(`loss is ${figures.lossPercent.toFixed(4)} %, above ${maxLossPercent} %`);
  }
  return faults;
}
