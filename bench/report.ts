/**
 * Draws the plots of the results that benches have left, one SVG a group of figures.
 *
 *   npm run bench -- report [--results bench/results] [--out bench/plots]
 *
 * Bars are medians over the rounds, whiskers their range.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type BenchResult, RESULTS_DIRECTORY } from './support/results.ts';
import { barPlot, linePlot } from './support/svg.ts';

const { values } = parseArgs({
  options: {
    results: { type: 'string', default: RESULTS_DIRECTORY },
    out: { type: 'string', default: join(import.meta.dirname, 'plots') },
  },
});

function resultFiles(): string[] {
  try {
    return readdirSync(values.results).filter((file) => file.endsWith('.json'));
  } catch {
    return [];
  }
}

const fileName = (bench: string, group: string): string =>
  `${bench}-${group.toLowerCase().replace(/[^a-z0-9]+/g, '-')}.svg`;

function draw(result: BenchResult): [file: string, svg: string][] {
  const { bench, machine, takenAt, series, curves } = result;
  const note = `${machine['processor']}, ${machine['system']}, loopback, ${takenAt.slice(0, 10)}`;
  const bars = Map.groupBy(series, ({ group }) => group);
  const lines = Map.groupBy(curves, ({ group }) => group);
  return [
    ...[...bars].map(([group, of]): [string, string] => [fileName(bench, group), barPlot(group, note, of)]),
    ...[...lines].map(([group, of]): [string, string] => [fileName(bench, group), linePlot(group, note, of)]),
  ];
}

const files = resultFiles();
if (files.length === 0) {
  process.stderr.write(`no results in ${values.results}: run a bench first\n`);
  process.exitCode = 1;
} else {
  mkdirSync(values.out, { recursive: true });
  for (const file of files) {
    const result = JSON.parse(readFileSync(join(values.results, file), 'utf8')) as BenchResult;
    for (const [name, svg] of draw(result)) {
      writeFileSync(join(values.out, name), svg);
      process.stdout.write(`${join(values.out, name)}\n`);
    }
  }
}
