import type { Metric, Registry } from 'prom-client';

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
  /** `_bucket`, `_sum` or `_count`, for histograms and summaries. */
  readonly suffix?: string;
}

/** A metric whose samples are kept elsewhere and read at each scrape. */
export interface MetricFamily {
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly name: string;
  readonly help: string;
  read(): Iterable<Sample>;
}

/**
 * Registers a family. prom-client's own classes keep their values and take one observation at a time; a registry only
 * calls `get`, so this gives it the samples as they are.
 */
export function registerFamily(registry: Registry, { type, name, help, read }: MetricFamily): void {
  const get = async () => {
    const values = Array.from(read(), ({ labels = {}, value, suffix = '' }) => ({
      metricName: name + suffix,
      labels,
      value,
    }));
    return { name, help, type, values };
  };
  registry.registerMetric({ name, help, get } as unknown as Metric);
}

/** Shorthand for a gauge or counter of this service without labels. */
export function single(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  read: () => number,
): MetricFamily {
  return { type, name: `mediastreamer_${name}`, help, read: () => [{ value: read() }] };
}

/** Shorthand for a gauge or counter of this service with labels. */
export function labelled(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  read: () => Iterable<Sample>,
): MetricFamily {
  return { type, name: `mediastreamer_${name}`, help, read };
}
