import type { Document } from 'yaml';
import { isNode, LineCounter, parseDocument, visit } from 'yaml';
import type { Finding } from './finding.ts';
import { describeValue } from './finding.ts';

/** Text of a catalog file; the path is used in findings only. */
export interface ServiceFile {
  readonly path: string;
  readonly text: string;
}

/** Reads one file's keys and notes every error instead of stopping at the first. */
export class FileReader {
  readonly findings: Finding[] = [];
  private readonly file: ServiceFile;
  private readonly lines = new LineCounter();
  private readonly document: Document;

  constructor(file: ServiceFile) {
    this.file = file;
    this.document = parseDocument(file.text, { lineCounter: this.lines, prettyErrors: false });
    for (const error of [...this.document.errors, ...this.document.warnings]) {
      this.note(this.lines.linePos(error.pos[0]).line, '', describeValue(error.message), 'well-formed YAML');
    }
  }

  note(line: number | null, path: string, found: string, expected: string): void {
    this.findings.push({ severity: 'error', file: this.file.path, line, path, found, expected });
  }

  warn(line: number | null, path: string, found: string, expected: string): void {
    this.findings.push({ severity: 'warning', file: this.file.path, line, path, found, expected });
  }

  /** The file's keys, or null after a note if it is not a mapping. */
  mapping(): Record<string, unknown> | null {
    if (this.findings.length > 0) return null;
    const value = this.plain();
    if (value === undefined) return null;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
    this.note(null, '', describeValue(value), 'a mapping with service, title, regions and names');
    return null;
  }

  /**
   * The document's value; undefined after a note if it contains aliases, such as an unquoted `*.example.com`.
   */
  private plain(): unknown {
    try {
      return this.document.toJS({ maxAliasCount: 0 });
    } catch {
      this.note(this.aliasLine(), '', 'a YAML alias (*)', 'plain values');
      return undefined;
    }
  }

  private aliasLine(): number | null {
    let offset: number | null = null;
    visit(this.document, {
      Alias: (_, node) => {
        offset = node.range?.[0] ?? null;
        return visit.BREAK;
      },
    });
    return offset === null ? null : this.lines.linePos(offset).line;
  }

  line(path: readonly (string | number)[]): number | null {
    const node = this.document.getIn(path, true);
    if (!isNode(node) || !node.range) return null;
    return this.lines.linePos(node.range[0]).line;
  }

  text(mapping: Record<string, unknown>, key: string, form: RegExp, expected: string): string {
    const value = mapping[key];
    if (typeof value === 'string' && form.test(value)) return value;
    this.note(this.line([key]), key, describeValue(value), expected);
    return '';
  }

  /** Strings of the list under `key` with their indexes; other items are noted. */
  list(mapping: Record<string, unknown>, key: string): { index: number; value: string }[] {
    const value = mapping[key];
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) {
      this.note(this.line([key]), key, describeValue(value), 'a list');
      return [];
    }
    const strings: { index: number; value: string }[] = [];
    value.forEach((item: unknown, index) => {
      if (typeof item === 'string') strings.push({ index, value: item });
      else this.note(this.line([key, index]), `${key}[${index}]`, describeValue(item), 'a string');
    });
    return strings;
  }
}
