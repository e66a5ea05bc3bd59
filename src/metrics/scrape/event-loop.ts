import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

/** prom-client's hundred samples a second are most of what an idle process does. */
const SAMPLE_MS = 100;
/** Such a timer never fires in a process's life. */
const NEVER_MS = 2 ** 31 - 1;
const NS_PER_SECOND = 1e9;
/** Gauges that prom-client names like counters, each the sum of the one without `_total`: promtool rejects them. */
const MISNAMED = /^nodejs_active_\w+_total$/;

/**
 * Registers prom-client's process metrics. Event loop delay keeps its names but is sampled ten times a second,
 * without the sampling interval: 0 for a loop that is never blocked.
 */
export function registerProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_MS });
  for (const { name } of registry.getMetricsAsArray()) {
    if (name.startsWith('nodejs_eventloop_lag') || MISNAMED.test(name)) registry.removeSingleMetric(name);
  }
  const histogram = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  histogram.enable();
  const seconds = (ns: number): number => Math.max(0, ns / NS_PER_SECOND - SAMPLE_MS / 1_000);
  const read = [
    ['mean', 'The mean', () => histogram.mean],
    ['p50', 'The 50th percentile', () => histogram.percentile(50)],
    ['p90', 'The 90th percentile', () => histogram.percentile(90)],
    ['p99', 'The 99th percentile', () => histogram.percentile(99)],
    ['max', 'The longest', () => histogram.max],
  ] as const;
  for (const [word, what, ns] of read) {
    const gauge = new Gauge({
      name: `nodejs_eventloop_lag_${word}_seconds`,
      help: `${what} of the event loop's delays since the last scrape.`,
      registers: [registry],
      collect: () => {
        gauge.set(histogram.count === 0 ? 0 : seconds(ns()));
        // `max` is read last.
        if (word === 'max') histogram.reset();
      },
    });
  }
}
