import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CounterBlock } from '../block.ts';
import { FAMILIES, type Family, HISTOGRAM_BOUNDS } from '../counters.ts';
import { registerProcessMetrics } from './event-loop.ts';
import { registerGauges, type Sources } from './gauges.ts';

type Labels = Record<string, string>;

const BOUNDS_SECONDS = Array.from({ length: HISTOGRAM_BOUNDS }, (_, b) => 2 ** b / 1e6);

/** A label combination of a family and the index of its first slot. */
interface Series {
  readonly labels: Labels;
  readonly index: number;
}

function seriesOf(family: Family): readonly Series[] {
  let combinations: Labels[] = [{}];
  for (const [label, values] of Object.entries(family.labels)) {
    combinations = combinations.flatMap((labels) => values.map((value) => ({ ...labels, [label]: value })));
  }
  return combinations.map((labels, i) => ({ labels, index: family.base + i * family.width }));
}

/** A histogram whose buckets lie in the blocks: prom-client's own can only be told one observation at a time. */
class BlockHistogram extends Histogram {
  private readonly family: Family;
  private readonly series: readonly Series[];
  private readonly sum: (index: number) => number;

  constructor(family: Family, sum: (index: number) => number, registry: Registry) {
    const labelNames = Object.keys(family.labels);
    super({
      name: family.name,
      help: family.help,
      labelNames,
      buckets: BOUNDS_SECONDS,
      registers: [registry],
    });
    this.family = family;
    this.series = seriesOf(family);
    this.sum = sum;
  }

  override async get(): ReturnType<Histogram['get']> {
    const { name, help } = this.family;
    const values: Awaited<ReturnType<Histogram['get']>>['values'] = [];
    for (const { labels, index } of this.series) {
      let count = 0;
      for (let b = 0; b <= HISTOGRAM_BOUNDS; b++) {
        count += this.sum(index + b);
        const le = b < HISTOGRAM_BOUNDS ? BOUNDS_SECONDS[b] : '+Inf';
        values.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count });
      }
      values.push({ metricName: `${name}_sum`, labels, value: this.sum(index + HISTOGRAM_BOUNDS + 1) });
      values.push({ metricName: `${name}_count`, labels, value: count });
    }
    return { name, help, type: 'histogram', values } as unknown as ReturnType<Histogram['get']>;
  }

  /** What the registry calls for the text format. */
  getForPromString(): ReturnType<Histogram['get']> {
    return this.get();
  }
}

export interface ExpositionOptions {
  readonly blocks?: readonly CounterBlock[];
  readonly sources?: Sources;
  /** Turns prom-client's own on: CPU, memory, event loop delay, garbage collection. */
  readonly processMetrics?: boolean;
}

/** The metrics of this process in Prometheus' text format: all blocks summed, gauges read, at each scrape. */
export class Exposition {
  private readonly registry = new Registry();
  private readonly blocks: CounterBlock[];

  constructor(options: ExpositionOptions = {}) {
    this.blocks = [...(options.blocks ?? [])];
    for (const family of FAMILIES) this.register(family);
    registerGauges(options.sources ?? {}, this.registry);
    if (options.processMetrics ?? true) registerProcessMetrics(this.registry);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Adds a thread's block. A block stays when its thread ends: counters never fall. */
  add(block: CounterBlock): void {
    this.blocks.push(block);
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }

  private register(family: Family): void {
    const sum = (index: number) => this.blocks.reduce((total, block) => total + block.values[index], 0);
    if (family.type === 'histogram') {
      new BlockHistogram(family, sum, this.registry);
      return;
    }
    const { name, help } = family;
    const series = seriesOf(family);
    const options = { name, help, labelNames: Object.keys(family.labels), registers: [this.registry] };
    if (family.type === 'gauge') {
      const gauge: Gauge = new Gauge({
        ...options,
        collect: () => {
          for (const { labels, index } of series) gauge.set(labels, sum(index));
        },
      });
      return;
    }
    const counter: Counter = new Counter({
      ...options,
      collect: () => {
        counter.reset();
        for (const { labels, index } of series) counter.inc(labels, sum(index));
      },
    });
  }
}
