import { collectLines } from './collect.ts';
import type { BadLine, ListLine } from './line.ts';
import { evaluateLine, isAd, takenInBy, withoutRedundant } from './names.ts';

/** A remark about a line; `list` and `line` say where it is. */
export type ImportNote = BadLine;

export interface ImportOptions {
  /** The list's name, as include lines would call it. */
  readonly list: string;
  /** Text of a list by name, or null if there is none. */
  readonly read: (list: string) => string | null;
  /** Includes lines marked @ads. */
  readonly withAds?: boolean;
  /** Names to leave out, each with all names below it; `include:LIST` leaves out a whole list. */
  readonly without?: readonly string[];
}

export interface ImportResult {
  /** In the order of the list. */
  readonly names: string[];
  readonly exact: string[];
  /** Lines that the catalog cannot express, or not exactly. */
  readonly unexpressed: ImportNote[];
  /** Problems that keep the list from being read: bad lines, missing lists, cycles. */
  readonly errors: ImportNote[];
  /** Names left out because another name covers them. */
  readonly redundant: number;
  /** Items of `without` that matched nothing. */
  readonly unmatched: string[];
}

const INCLUDE = 'include:';

/** Names to leave out, and which of the requests matched. */
class Exclusion {
  readonly lists = new Set<string>();
  private readonly names = new Set<string>();
  private readonly unused: Set<string>;

  constructor(without: readonly string[]) {
    this.unused = new Set(without);
    for (const item of without) {
      if (item.startsWith(INCLUDE)) this.lists.add(item.slice(INCLUDE.length));
      else this.names.add(item);
    }
  }

  passedOver(list: string): void {
    this.unused.delete(INCLUDE + list);
  }

  /** True if the line's name, or a name above it, is to be left out. */
  leavesOut(line: ListLine): boolean {
    if (line.type !== 'domain' && line.type !== 'full') return this.matches(line.value);
    const labels = line.value.toLowerCase().split('.');
    for (let from = 0; from < labels.length; from++) {
      if (this.matches(labels.slice(from).join('.'))) return true;
    }
    return false;
  }

  get unmatched(): string[] {
    return [...this.unused];
  }

  private matches(name: string): boolean {
    if (!this.names.has(name)) return false;
    this.unused.delete(name);
    return true;
  }
}

function note({ list, line, text }: ListLine): Omit<ImportNote, 'why'> {
  return { list, line, text };
}

/**
 * Turns a list in v2fly's domain-list-community format into the names of a catalog file. Reads through `read`
 * only. The result has every line that cannot be expressed, with the reason.
 */
export function importDomains(options: ImportOptions): ImportResult {
  const { list, read, withAds = false, without = [] } = options;
  const exclusion = new Exclusion(without);
  const onPassedOver = (passed: string) => exclusion.passedOver(passed);
  const collected = collectLines(list, { read, withoutLists: exclusion.lists, onPassedOver });
  const suffixes = new Set<string>();
  const singles = new Set<string>();
  const noted: { line: ListLine; why: string; left: boolean }[] = [];
  for (const line of new Set(collected.lines)) {
    if (exclusion.leavesOut(line)) continue;
    const verdict = evaluateLine(line, withAds);
    const why = verdict.take === null ? verdict.why : verdict.narrowed;
    if (why !== null) noted.push({ line, why, left: verdict.take === null });
    if (verdict.take === 'names') suffixes.add(verdict.name);
    if (verdict.take === 'exact') singles.add(verdict.name);
  }
  const unexpressed = noted.map(({ line, why, left }) => {
    const taker = left && isAd(line) ? takenInBy(line, suffixes) : null;
    return { ...note(line), why: taker === null ? why : `marked @ads, but ${taker} takes it in` };
  });
  const kept = withoutRedundant(suffixes, singles);
  return { ...kept, unexpressed, errors: collected.errors, unmatched: exclusion.unmatched };
}
