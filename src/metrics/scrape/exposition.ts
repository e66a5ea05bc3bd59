import { Registry } from 'prom-client';
import type { CounterBlock } from '../block.ts';
import { FAMILIES, type Family, HISTOGRAM_BOUNDS } from '../counters.ts';
import { registerProcessMetrics } from './event-loop.ts';
import { type MetricFamily, registerFamily, type Sample } from './families.ts';
import { type Sources, sourceFamilies } from './gauges.ts';

const BOUNDS_SECONDS = Array.from({ length: HISTOGRAM_BOUNDS }, (_, b) => 2 ** b / 1e6);

/** A label combination of a family and the index of its first slot. */
interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly index: number;
}

export interface ExpositionOptions {
  readonly blocks?: readonly CounterBlock[];
  readonly sources?: Sources;
  /** Adds prom-client's metrics of the process: CPU, memory, event loop delay, garbage collection. */
  readonly processMetrics?: boolean;
}

/** Metrics of this process in Prometheus' text format: each scrape sums the blocks and reads the sources. */
export class Exposition {
  private readonly registry = new Registry();
  private readonly blocks: CounterBlock[];

  constructor(options: ExpositionOptions = {}) {
    this.blocks = [...(options.blocks ?? [])];
    for (const family of FAMILIES) registerFamily(this.registry, this.ofBlocks(family));
    for (const family of sourceFamilies(options.sources ?? {})) registerFamily(this.registry, family);
    if (options.processMetrics ?? true) registerProcessMetrics(this.registry);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Adds a thread's block. It stays when the thread ends: counters never fall. */
  add(block: CounterBlock): void {
    this.blocks.push(block);
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }

  private ofBlocks(family: Family): MetricFamily {
    const { type, name, help } = family;
    const sum = (index: number) => this.blocks.reduce((total, block) => total + block.values[index], 0);
    const series = seriesOf(family);
    const read = () =>
      type === 'histogram'
        ? series.flatMap((one) => histogramSamples(one, sum))
        : series.map(({ labels, index }) => ({ labels, value: sum(index) }));
    return { type, name, help, read };
  }
}

/** Formats families as Prometheus' text (0.0.4). */
export function textOf(families: readonly MetricFamily[]): Promise<string> {
  const registry = new Registry();
  for (const family of families) registerFamily(registry, family);
  return registry.metrics();
}

function seriesOf(family: Family): readonly Series[] {
  let combinations: Series['labels'][] = [{}];
  for (const [label, values] of Object.entries(family.labels)) {
    combinations = combinations.flatMap((labels) => values.map((value) => ({ ...labels, [label]: value })));
  }
  return combinations.map((labels, i) => ({ labels, index: family.base + i * family.width }));
}

/** Cumulative buckets, sum and count of one series. */
function histogramSamples({ labels, index }: Series, sum: (index: number) => number): Sample[] {
  const samples: Sample[] = [];
  let count = 0;
  for (let b = 0; b <= HISTOGRAM_BOUNDS; b++) {
    count += sum(index + b);
    const le = b < HISTOGRAM_BOUNDS ? String(BOUNDS_SECONDS[b]) : '+Inf';
    samples.push({ suffix: '_bucket', labels: { ...labels, le }, value: count });
  }
  samples.push({ suffix: '_sum', labels, value: sum(index + HISTOGRAM_BOUNDS + 1) });
  samples.push({ suffix: '_count', labels, value: count });
  return samples;
}
