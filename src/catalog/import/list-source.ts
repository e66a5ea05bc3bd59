/** Where the names of a service come from: a list in a repository at a commit. */
export interface ListSource {
  /** OWNER/NAME. */
  readonly repository: string;
  readonly ref: string;
  /** Path of the list in the repository, such as `data/netflix`. */
  readonly path: string;
}

const SOURCE = /^([\w.-]+\/[\w.-]+)@([\w./-]+) ([\w./!-]+)$/;

/** Parses a service's `source`, as `v2fly/domain-list-community@c975ccef data/netflix`; null for any other text. */
export function parseListSource(source: string | null): ListSource | null {
  const match = source === null ? null : SOURCE.exec(source);
  if (match === null || match[3]!.split('/').includes('..')) return null;
  return { repository: match[1]!, ref: match[2]!, path: match[3]! };
}

/** The inverse of `parseListSource`. */
export function formatListSource({ repository, ref, path }: ListSource): string {
  return `${repository}@${ref} ${path}`;
}

/** Lists that the include lines of a list name. */
export function includedLists(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => /^\s*include:([^\s#]+)/i.exec(line)?.[1]?.toLowerCase());
  return [...new Set(lines.filter((list) => list !== undefined))];
}
