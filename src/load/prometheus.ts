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
  readonly labels: string;
  readonly figures: Figures;
}

/**
 * The counts of a load in Prometheus' text format (0.0.4), for the textfile collector of a node exporter or a
 * pushgateway.
 */
export function prometheusText(tallies: Tallies, summary: LoadSummary): string {
  const rows: Row[] = KINDS.flatMap((kind) =>
    [false, true].map((isUnregistered) => ({
      labels: `kind="${kind}",source="${isUnregistered ? 'unregistered' : 'registered'}"`,
      figures: figuresOf(tallies.of(kind, isUnregistered)),
    })),
  ).filter(({ figures }) => figures.due > 0);
  const { late, maxDelayMs, unexpected, connectionFaults } = summary.generator;
  const lines = [
    ...family('queries_total', 'counter', 'Queries that were due, by what became of them.'),
    ...rows.flatMap(({ labels, figures }) =>
      RESULTS.map((result) => sample('queries_total', `${labels},result="${result}"`, figures[result])),
    ),
    ...family('answers_total', 'counter', 'Answers, by response code.'),
    ...rows.flatMap(({ labels, figures }) =>
      Object.entries(figures.rcodes).map(([rcode, count]) =>
        sample('answers_total', `${labels},rcode="${rcode}"`, count),
      ),
    ),
    ...family('latency_seconds', 'summary', 'From when a query was due until its answer was read.'),
    ...rows.flatMap((row) => latencySamples(row)),
    ...single('late_queries_total', 'counter', 'Queries sent more than 1 ms after they were due.', late),
    ...single('max_delay_seconds', 'gauge', 'The longest that a query was sent late.', maxDelayMs / 1000),
    ...single('unexpected_answers_total', 'counter', 'Answers that no query waited for.', unexpected),
    ...single('connection_faults_total', 'counter', 'Connections that failed or ended.', connectionFaults),
    ...single('rate', 'gauge', 'Queries a second that the load is to make.', summary.ratePerSecond),
  ];
  return `${lines.join('\n')}\n`;
}

function latencySamples({ labels, figures }: Row): string[] {
  const { latencyMs, answered } = figures;
  const quantiles = QUANTILES.map(([quantile, key]) => {
    const value = latencyMs[key];
    return sample(
      'latency_seconds',
      `${labels},quantile="${quantile}"`,
      value === null ? Number.NaN : value / 1000,
    );
  });
  return [
    ...quantiles,
    sample('latency_seconds_sum', labels, ((latencyMs.mean ?? 0) * answered) / 1000),
    sample('latency_seconds_count', labels, answered),
  ];
}

function family(name: string, type: string, help: string): string[] {
  return [`# HELP mediastreamer_load_${name} ${help}`, `# TYPE mediastreamer_load_${name} ${type}`];
}

function single(name: string, type: string, help: string, value: number): string[] {
  return [...family(name, type, help), `mediastreamer_load_${name} ${value}`];
}

function sample(name: string, labels: string, value: number): string {
  return `mediastreamer_load_${name}{${labels}} ${value}`;
}
