import type { BadLine, ListLine } from './line.ts';
import { parseListLine } from './line.ts';

export interface Collected {
  /** Lines of the list and of all lists that it includes, in order, without include lines. */
  readonly lines: ListLine[];
  readonly errors: BadLine[];
}

export interface CollectOptions {
  /** Text of a list by name, or null if there is none. */
  readonly read: (list: string) => string | null;
  /** Lists whose include lines are skipped. */
  readonly withoutLists: ReadonlySet<string>;
  /** Called with each skipped list. */
  readonly onPassedOver: (list: string) => void;
}

/**
 * Applies the filters of an include: `@cn` keeps only lines with that attribute, `@-cn` only lines without
 * it.
 */
function passes(line: ListLine, filters: readonly string[]): boolean {
  return filters.every((filter) =>
    filter.startsWith('-') ? !line.attributes.includes(filter.slice(1)) : line.attributes.includes(filter),
  );
}

class Collector {
  readonly errors: BadLine[] = [];
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
      if ('bad' in parsed) this.errors.push(parsed.bad);
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
    this.errors.push({ list, line, text, why });
    return [];
  }
}

/**
 * Reads a list and, in place, the lists that it includes, each once. Reports every bad line, missing list and
 * cycle.
 */
export function collectLines(list: string, options: CollectOptions): Collected {
  const text = options.read(list);
  if (text === null) {
    return { lines: [], errors: [{ list, line: 0, text: '', why: 'there is no such list' }] };
  }
  const collector = new Collector(options);
  const lines = collector.list(list, text);
  return { lines, errors: collector.errors };
}
