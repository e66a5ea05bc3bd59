/** A line of a domain list: `type:value @attribute &affiliation # comment`. */
export interface ListLine {
  readonly list: string;
  /** Counted from 1. */
  readonly line: number;
  /** The line without its comment. */
  readonly text: string;
  readonly type: ListType;
  readonly value: string;
  /** Without the @: `ads`, `!cn`; on an include, `-cn` asks for lines without it. */
  readonly attributes: readonly string[];
}

export type ListType = 'domain' | 'full' | 'keyword' | 'regexp' | 'include';

/** A line that does not follow the format. */
export interface BadLine {
  readonly list: string;
  readonly line: number;
  readonly text: string;
  readonly why: string;
}

const TYPES: ReadonlySet<string> = new Set(['domain', 'full', 'keyword', 'regexp', 'include']);
const ATTRIBUTE = /^@[a-z0-9!-]+$/;
const AFFILIATION = /^&[a-z0-9!-]+$/i;

function badLine(list: string, line: number, text: string, why: string): { bad: BadLine } {
  return { bad: { list, line, text, why } };
}

/**
 * Parses one line in v2fly's domain-list-community format. Null for an empty line or a comment. Affiliations
 * (`&list`: the line belongs to that list, too) are ignored.
 */
export function parseListLine(
  list: string,
  line: number,
  raw: string,
): { good: ListLine } | { bad: BadLine } | null {
  const hash = raw.indexOf('#');
  const text = (hash === -1 ? raw : raw.slice(0, hash)).trim();
  if (text === '') return null;
  const [rule, ...marks] = text.split(/\s+/) as [string, ...string[]];
  const colon = rule.indexOf(':');
  const type = colon === -1 ? 'domain' : rule.slice(0, colon).toLowerCase();
  const value = rule.slice(colon + 1);
  if (!TYPES.has(type)) return badLine(list, line, text, `unknown type ${JSON.stringify(type)}`);
  if (value === '') return badLine(list, line, text, `nothing behind ${type}:`);
  const attributes: string[] = [];
  for (const mark of marks) {
    if (ATTRIBUTE.test(mark)) attributes.push(mark.slice(1));
    else if (!AFFILIATION.test(mark)) {
      return badLine(
        list,
        line,
        text,
        `${JSON.stringify(mark)} is neither an @attribute nor an &affiliation`,
      );
    }
  }
  return { good: { list, line, text, type: type as ListType, value, attributes } };
}
