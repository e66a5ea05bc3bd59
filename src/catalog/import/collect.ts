import type { BadLine, ListLine } from './line.ts';
import { parseListLine } from './line.ts';

export interface Collected {
  /** Of the list and all that it includes, in order; no include lines. */
  readonly lines: ListLine[];
  readonly faults: BadLine[];
}

export interface CollectOptions {
  /** The text of a list by its name, or null if there is none. */
  readonly read: (list: string) => string | null;
  /** Lists whose include lines are passed over. */
  readonly withoutLists: ReadonlySet<string>;
  /** Told of each list that was passed over. */
  readonly onPassedOver: (list: string) => void;
}

/** On an include, `@cn` takes only the lines that have it, `@-cn` only those that have it not. */
function passes(line: ListLine, filters: readonly string[]): boolean {
  return filters.every((filter) =>
    filter.startsWith('-') ? !line.attributes.includes(filter.slice(1)) : line.attributes.includes(filter),
  );
}

class Collector {
  readonly faults: BadLine[] = [];
  private readonly options: CollectOptions;
  private readonly done = new Map<string, ListLine[]>();
  private readonly open: string[] = [];

  constructor(options: CollectOptions) {
    this.options = options;
  }

  list(list: string, text: string): ListLine[] {
    const known = this.done.get(list);
    if (known !== undefined) return known;
    const lines: ListLine[] = [];
    this.open.push(list);
    for (const [index, raw] of text.split(/\r?\n/).entries()) {
      const parsed = parseListLine(list, index + 1, raw);
      if (parsed === null) continue;
      if ('bad' in parsed) this.faults.push(parsed.bad);
      else if (parsed.good.type !== 'include') lines.push(parsed.good);
      else for (const line of this.include(parsed.good)) lines.push(line);
    }
    this.open.pop();
    this.done.set(list, lines);
    return lines;
  }

  private include(line: ListLine): ListLine[] {
    const list = line.value.toLowerCase();
    if (this.options.withoutLists.has(list)) {
      this.options.onPassedOver(list);
      return [];
    }
    if (this.open.includes(list)) {
      return this.refuse(line, `a cycle: ${[...this.open, list].join(' -> ')}`);
    }
    const known = this.done.has(list);
    const text = known ? '' : this.options.read(list);
    if (text === null) return this.refuse(line, `there is no list ${JSON.stringify(list)}`);
    return this.list(list, text).filter((included) => passes(included, line.attributes));
  }

  private refuse({ list, line, text }: ListLine, why: string): ListLine[] {
    this.faults.push({ list, line, text, why });
    return [];
  }
}

/**
 * Reads a list and, in their places, the lists that it includes, each once. Bad lines, lists that are missing
 * and cycles are faults; all are reported.
 */
export function collectLines(list: string, options: CollectOptions): Collected {
  const text = options.read(list);
  if (text === null) {
    return { lines: [], faults: [{ list, line: 0, text: '', why: 'there is no such list' }] };
  }
  const collector = new Collector(options);
  const lines = collector.list(list, text);
  return { lines, faults: collector.faults };
}
