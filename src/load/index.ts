export { LoadPlanError, LoadUnavailableError, TargetRefusedError } from './errors.ts';
export {
  checkPlan,
  KINDS,
  type LoadPlan,
  MAX_CONNECTIONS,
  MAX_RATE,
  MAX_SECONDS,
  QUERY_TYPES,
  TRANSPORTS,
  type Transport,
} from './plan.ts';
export { prometheusText } from './prometheus.ts';
export { progressLine, summaryText } from './report.ts';
export { type LoadOptions, type Progress, runLoad } from './run.ts';
export { parseShares } from './shares.ts';
export { MAX_SOURCES, NO_SOURCES, type Sources, sourcesOf } from './sources.ts';
export { type LoadSummary, summarize } from './summary.ts';
export type { Tallies } from './tallies.ts';
export { assertAllowedTarget, parseAllowList } from './target.ts';
export { exceeded, type Thresholds } from './thresholds.ts';
