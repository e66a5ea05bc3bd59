import { expositionText, type MetricFamily, type Sample } from '../metrics/scrape/index.ts';
import { KINDS } from './plan.ts';
import { type Figures, figuresOf, type LoadSummary } from './summary.ts';
import type { Tallies } from './tallies.ts';

const RESULTS = ['answered', 'lost', 'unsent', 'invalid'] as const;
const QUANTILES = [
  ['0.5', 'p50'],
  ['0.9', 'p90'],
  ['0.99', 'p99'],
  ['0.999', 'p999'],
  ['1', 'max'],
] as const;

interface Row {
  readonly labels: { readonly kind: string; readonly source: string };
  readonly figures: Figures;
}

/** Formats a load's counts as Prometheus' text, for a node exporter's textfile collector or a pushgateway. */
export function prometheusText(tallies: Tallies, summary: LoadSummary): Promise<string> {
  const rows: Row[] = KINDS.flatMap((kind) =>
    [false, true].map((isUnregistered) => ({
      labels: { kind, source: isUnregistered ? 'unregistered' : 'registered' },
      figures: figuresOf(tallies.of(kind, isUnregistered)),
    })),
  ).filter(({ figures }) => figures.due > 0);
  const perRow = (read: (row: Row) => Sample[]): Sample[] => rows.flatMap(read);
  const { late, maxDelayMs, unexpected, connectionFaults } = summary.generator;
  return expositionText([
    family(
      'queries_total',
      'counter',
      'Queries that were due, by result.',
      perRow(({ labels, figures }) =>
        RESULTS.map((result) => ({ labels: { ...labels, result }, value: figures[result] })),
      ),
    ),
    family(
      'answers_total',
      'counter',
      'Answers, by response code.',
      perRow(({ labels, figures }) =>
        Object.entries(figures.rcodes).map(([rcode, value]) => ({ labels: { ...labels, rcode }, value })),
      ),
    ),
    family(
      'latency_seconds',
      'summary',
      'Time from when a query was due until its answer was read.',
      perRow(latencySamples),
    ),
    single('late_queries_total', 'counter', 'Queries sent more than 1 ms after they were due.', late),
    single('max_delay_seconds', 'gauge', 'Longest delay of a query behind its due time.', maxDelayMs / 1000),
    single('unexpected_answers_total', 'counter', 'Answers that matched no outstanding query.', unexpected),
    single('connection_faults_total', 'counter', 'Connections that failed or ended.', connectionFaults),
    single('rate', 'gauge', 'Planned queries a second.', summary.ratePerSecond),
  ]);
}

function latencySamples({ labels, figures }: Row): Sample[] {
  const { latencyMs, answered } = figures;
  const quantiles = QUANTILES.map(([quantile, key]) => {
    const value = latencyMs[key];
    return { labels: { ...labels, quantile }, value: value === null ? Number.NaN : value / 1000 };
  });
  const sum = ((latencyMs.mean ?? 0) * answered) / 1000;
  return [
    ...quantiles,
    { suffix: '_sum', labels, value: sum },
    { suffix: '_count', labels, value: answered },
  ];
}

function family(name: string, type: MetricFamily['type'], help: string, samples: Sample[]): MetricFamily {
  return { name: `mediastreamer_load_${name}`, type, help, read: () => samples };
}

function single(name: string, type: MetricFamily['type'], help: string, value: number): MetricFamily {
  return family(name, type, help, [{ value }]);
}
