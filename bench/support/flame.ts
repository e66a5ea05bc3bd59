/** A frame of a stack and what was seen on top of it. */
interface Frame {
  readonly name: string;
  samples: number;
  readonly above: Map<string, Frame>;
}

const WIDTH = 1200;
const ROW = 17;
const TOP = 56;
/** Narrower frames are not drawn. */
const LEAST_PIXELS = 0.5;
const CHARACTER_PIXELS = 6.6;
/** Native code, the kernel's, JavaScript. */
const COLOURS = { kernel: '#e8b04b', native: '#9db4c0', script: '#7fb685' } as const;

const escapeXml = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

/**
 * Reads the stacks of `perf script`: each begins with a line that is not indented, then a line a frame, the innermost
 * first, and ends with an empty one.
 * @param nameOf what a symbol and the file it is in are called; null leaves the frame out
 */
export function stacksOf(
  script: string,
  nameOf: (symbol: string, object: string) => string | null,
): string[][] {
  const stacks: string[][] = [];
  for (const block of script.split(/\n\n+/)) {
    const frames = block
      .split('\n')
      .slice(1)
      .map((line) => /^\s+[0-9a-f]+ (.*) \(([^()]*)\)$/.exec(line))
      .flatMap((match) => {
        const name = match === null ? null : nameOf(match[1]!.replace(/\+0x[0-9a-f]+$/, ''), match[2]!);
        return name === null ? [] : [name];
      });
    if (frames.length > 0) stacks.push(frames.reverse());
  }
  return stacks;
}

/** Shares of the samples by what was innermost, the greatest first. */
export function innermost(stacks: readonly (readonly string[])[]): [name: string, share: number][] {
  const counts = Map.groupBy(stacks, (stack) => stack.at(-1)!);
  return [...counts]
    .map(([name, of]): [string, number] => [name, of.length / stacks.length])
    .sort(([, a], [, b]) => b - a);
}

/** A flame graph: each frame as wide as its share of the samples, its callers below it. */
export function flameGraph(title: string, note: string, stacks: readonly (readonly string[])[]): string {
  const root: Frame = { name: 'all', samples: 0, above: new Map() };
  let depth = 0;
  for (const stack of stacks) {
    root.samples += 1;
    depth = Math.max(depth, stack.length);
    let frame = root;
    for (const name of stack) {
      const next = frame.above.get(name) ?? { name, samples: 0, above: new Map() };
      frame.above.set(name, next);
      next.samples += 1;
      frame = next;
    }
  }
  const bottom = TOP + (depth + 1) * ROW;
  const boxes: string[] = [];
  const draw = (frame: Frame, x: number, level: number): void => {
    const width = (frame.samples / root.samples) * WIDTH;
    if (width < LEAST_PIXELS) return;
    boxes.push(box(frame, x, bottom - (level + 1) * ROW, width, root.samples));
    let left = x;
    for (const next of [...frame.above.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      draw(next, left, level + 1);
      left += (next.samples / root.samples) * WIDTH;
    }
  };
  draw(root, 0, 0);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 8}" width="${WIDTH}" height="${bottom + 8}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    '<style>text{font:11px ui-monospace,monospace;fill:#111}.t{font:600 16px system-ui,sans-serif}.n{font:13px system-ui,sans-serif;fill:#555}</style>',
    `<rect width="${WIDTH}" height="${bottom + 8}" fill="#fff"/>`,
    `<text class="t" x="8" y="22">${escapeXml(title)}</text><text class="n" x="8" y="42">${escapeXml(note)}</text>`,
    ...boxes,
    '</svg>',
    '',
  ].join('\n');
}

function box({ name, samples }: Frame, x: number, y: number, width: number, all: number): string {
  const room = Math.floor((width - 4) / CHARACTER_PIXELS);
  const text = room < 3 ? '' : name.length <= room ? name : `${name.slice(0, room - 1)}…`;
  const colour = name.endsWith('_[k]')
    ? COLOURS.kernel
    : /\.[cm]?[jt]s$/.test(name)
      ? COLOURS.script
      : COLOURS.native;
  const share = `${name}: ${((100 * samples) / all).toFixed(1)} %`;
  return (
    `<g><title>${escapeXml(share)}</title>` +
    `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colour}"/>` +
    `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${escapeXml(text)}</text></g>`
  );
}
