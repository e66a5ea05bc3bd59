import { median } from './pairs.ts';
import type { Curve, Series } from './results.ts';

const WIDTH = 760;
const LABEL_WIDTH = 230;
const VALUE_WIDTH = 170;
const ROW_HEIGHT = 34;
const TOP = 64;
const PLOT_HEIGHT = 280;
/** Told apart by people who do not see all colours (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
const STYLE = `text{font:13px system-ui,sans-serif;fill:#222}.t{font-size:16px;font-weight:600}.n{fill:#666}
line{stroke:#999}.w{stroke:#222;stroke-width:1.5}
@media(prefers-color-scheme:dark){text{fill:#ddd}.n{fill:#aaa}.w{stroke:#eee}}`;

/** Bars of the medians, from zero, with the range over the rounds as a whisker. */
export function barPlot(title: string, note: string, series: readonly Series[]): string {
  const most = Math.max(...series.flatMap(({ values }) => values), Number.MIN_VALUE);
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / most;
  const rows = series.map(({ label, unit, values }, i) => {
    const y = TOP + i * ROW_HEIGHT;
    const [low, middle, high] = [Math.min(...values), median(values), Math.max(...values)];
    const at = (value: number): string => (LABEL_WIDTH + value * scale).toFixed(1);
    const centre = y + ROW_HEIGHT / 2 - 4;
    return [
      text(LABEL_WIDTH - 10, centre + 5, label, 'text-anchor="end"'),
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${(middle * scale).toFixed(1)}" height="${ROW_HEIGHT - 8}" fill="${COLOURS[i % COLOURS.length]}"/>`,
      `<line class="w" x1="${at(low)}" y1="${centre}" x2="${at(high)}" y2="${centre}"/>`,
      ...[low, high].map(
        (end) => `<line class="w" x1="${at(end)}" y1="${centre - 5}" x2="${at(end)}" y2="${centre + 5}"/>`,
      ),
      text(WIDTH - VALUE_WIDTH + 8, centre + 5, `${short(middle)} ${unit} (${short(low)} to ${short(high)})`),
    ].join('');
  });
  return svg(TOP + series.length * ROW_HEIGHT + 10, title, note, rows);
}

/** A line a curve through its medians, with the range of each point; the horizontal axis is logarithmic. */
export function linePlot(title: string, note: string, curves: readonly Curve[]): string {
  const xs = curves.flatMap(({ points }) => points.map(({ x }) => x));
  const most = Math.max(...curves.flatMap(({ points }) => points.flatMap(({ values }) => values)));
  const [left, right, bottom] = [70, WIDTH - 200, TOP + PLOT_HEIGHT];
  const [first, last] = [Math.log10(Math.min(...xs)), Math.log10(Math.max(...xs))];
  const at = (x: number): number => left + ((Math.log10(x) - first) / (last - first || 1)) * (right - left);
  const up = (y: number): number => bottom - (y / most) * PLOT_HEIGHT * 0.95;
  const axes = [
    `<line x1="${left}" y1="${bottom}" x2="${right}" y2="${bottom}"/>`,
    `<line x1="${left}" y1="${TOP}" x2="${left}" y2="${bottom}"/>`,
    ...[0, most / 2, most].map((y) => text(left - 8, up(y) + 4, short(y), 'text-anchor="end" class="n"')),
    ...[...new Set(xs)].map((x) => text(at(x), bottom + 18, si(x), 'text-anchor="middle" class="n"')),
    text((left + right) / 2, bottom + 38, curves[0]!.xLabel, 'text-anchor="middle" class="n"'),
  ];
  const lines = curves.map(({ label, points, unit }, i) => {
    const colour = COLOURS[i % COLOURS.length]!;
    const path = points.map(({ x, values }) => `${at(x).toFixed(1)},${up(median(values)).toFixed(1)}`);
    const ranges = points.map(({ x, values }) => {
      const [from, to] = [up(Math.min(...values)), up(Math.max(...values))];
      return `<line class="w" x1="${at(x).toFixed(1)}" y1="${from.toFixed(1)}" x2="${at(x).toFixed(1)}" y2="${to.toFixed(1)}"/>`;
    });
    return [
      `<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...ranges,
      `<rect x="${right + 16}" y="${TOP + i * 22}" width="12" height="12" fill="${colour}"/>`,
      text(right + 34, TOP + i * 22 + 11, `${label}, ${unit}`),
    ].join('');
  });
  return svg(bottom + 56, title, note, [...axes, ...lines]);
}

function svg(height: number, title: string, note: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escapeXml(title)}</title><style>${STYLE}</style>`,
    text(12, 26, title, 'class="t"'),
    text(12, 46, note, 'class="n"'),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escapeXml(content)}</text>`;
}

function escapeXml(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

/** Three figures, thousands apart. */
function short(value: number): string {
  if (value === 0) return '0';
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

function si(value: number): string {
  if (value >= 1e6) return `${value / 1e6} M`;
  return value >= 1e3 ? `${value / 1e3} k` : String(value);
}
