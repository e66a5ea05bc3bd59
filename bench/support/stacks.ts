/**
 * Reads the stacks of `perf script`. Each is a header line, one indented line a frame from the innermost outward, and an
 * empty line.
 * @param nameOf name of a frame, from its symbol and object file; null drops the frame
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

/** Shares of the samples by innermost frame, largest first. */
export function innermost(stacks: readonly (readonly string[])[]): [name: string, share: number][] {
  const counts = Map.groupBy(stacks, (stack) => stack.at(-1)!);
  return [...counts]
    .map(([name, of]): [string, number] => [name, of.length / stacks.length])
    .sort(([, a], [, b]) => b - a);
}
