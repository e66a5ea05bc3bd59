import type { Progress } from './run.ts';
import type { Figures, LoadSummary } from './summary.ts';

const thousands = (count: number): string => String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
const ms = (value: number | null): string => (value === null ? '-' : value.toFixed(value < 10 ? 3 : 1));

/** One line of progress for people. */
export function progressLine(progress: Progress): string {
  const { phase, elapsedSeconds, sentPerSecond, answersPerSecond, lost, p50Ms, p99Ms, maxMs } = progress;
  return [
    `${elapsedSeconds.toFixed(0).padStart(5)} s ${phase.padEnd(8)}`,
    `${thousands(sentPerSecond).padStart(9)} q/s`,
    `${thousands(answersPerSecond).padStart(9)} answers/s`,
    `${thousands(lost).padStart(8)} lost`,
    `p50 ${ms(p50Ms)}  p99 ${ms(p99Ms)}  max ${ms(maxMs)} ms`,
  ].join('  ');
}

/** Result of a load as a table for people. */
export function summaryText(summary: LoadSummary): string {
  const { generator } = summary;
  const rows: [string, Figures][] = [];
  if (summary.registered) rows.push(['registered', summary.registered]);
  for (const [kind, figures] of Object.entries(summary.kinds)) rows.push([`  ${kind}`, figures]);
  if (summary.unregistered) rows.push(['unregistered', summary.unregistered]);
  const table = [
    ['', 'due', 'sent', 'answered', 'lost', 'loss %', 'p50 ms', 'p90', 'p99', 'p99.9', 'max'],
    ...rows.map(([name, { due, sent, answered, lost, lossPercent, latencyMs }]) => [
      name,
      ...[due, sent, answered, lost].map(thousands),
      lossPercent.toFixed(3),
      ...[latencyMs.p50, latencyMs.p90, latencyMs.p99, latencyMs.p999, latencyMs.max].map(ms),
    ]),
  ];
  const codes = rows
    .filter(([name]) => !name.startsWith(' '))
    .map(([name, { rcodes, truncated, invalid }]) => {
      const list = Object.entries(rcodes).map(([rcode, count]) => `${rcode} ${thousands(count)}`);
      if (truncated > 0) list.push(`truncated ${thousands(truncated)}`);
      if (invalid > 0) list.push(`invalid ${thousands(invalid)}`);
      return `${name}: ${list.join(', ') || 'no answers'}`;
    });
  return [
    '',
    `${summary.transport}, ${thousands(summary.ratePerSecond)} q/s for ${summary.seconds.toFixed(1)} s: ` +
      `${thousands(summary.sentPerSecond)} q/s sent, ${thousands(summary.answersPerSecond)} answers/s`,
    ...columns(table),
    ...codes,
    `generator: ${thousands(generator.late)} queries sent over 1 ms late, at most ${ms(generator.maxDelayMs)} ms; ` +
      `${thousands(generator.unexpected)} unexpected answers; ${generator.connectionFaults} connection faults; ` +
      `${generator.cpuSeconds.toFixed(1)} s of CPU`,
  ].join('\n');
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  '),
  );
}
