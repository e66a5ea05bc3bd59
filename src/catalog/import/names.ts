import { canonicalHostName, coveringName } from '../host-name.ts';
import { refuseExact, refuseSuffix } from '../name-rule.ts';
import type { ListLine } from './line.ts';

/** The catalog's form of a line, or the reason why there is none. */
export type Verdict =
  | { readonly take: 'names' | 'exact'; readonly name: string; readonly narrowed: string | null }
  | { readonly take: null; readonly why: string };

/** True if the line is marked as serving advertisements. */
export function isAd(line: ListLine): boolean {
  return line.attributes.includes('ads');
}

function leave(why: string): Verdict {
  return { take: null, why };
}

/**
 * Decides how the catalog expresses a line. It cannot express patterns. A suffix below a content network is
 * narrowed to the name alone; the network's own suffix is left out.
 */
export function evaluateLine(line: ListLine, withAds: boolean): Verdict {
  if (line.type === 'regexp' || line.type === 'keyword') {
    return leave(`a ${line.type} has no form in the catalog`);
  }
  if (isAd(line) && !withAds) return leave('marked @ads: left out');
  const host = canonicalHostName(line.value.toLowerCase());
  if (host.name === null) return leave(`expected ${host.expected}`);
  const name = host.name;
  if (line.type === 'full') {
    const refusal = refuseExact(name);
    return refusal === null ? { take: 'exact', name, narrowed: null } : leave(`expected ${refusal.expected}`);
  }
  const refusal = refuseSuffix(name);
  if (refusal === null) return { take: 'names', name, narrowed: null };
  if (refusal.reason !== 'below-shared') return leave(`expected ${refusal.expected}`);
  const narrowed = `taken alone, without what is below it: unrelated sites handle ${refusal.shared}`;
  return { take: 'exact', name, narrowed };
}

/** The suffix that covers a line's name although the line was left out, or null. */
export function takenInBy(line: ListLine, suffixes: ReadonlySet<string>): string | null {
  const host = canonicalHostName(line.value.toLowerCase());
  if (host.name === null) return null;
  return suffixes.has(host.name) ? host.name : coveringName(host.name, (above) => suffixes.has(above));
}

/** Removes names that another covers: names below a suffix, and exact names that are suffixes, too. */
export function withoutRedundant(
  suffixes: ReadonlySet<string>,
  singles: ReadonlySet<string>,
): { names: string[]; exact: string[]; redundant: number } {
  const covered = (name: string) => coveringName(name, (above) => suffixes.has(above)) !== null;
  const names = [...suffixes].filter((name) => !covered(name));
  const exact = [...singles].filter((name) => !suffixes.has(name) && !covered(name));
  const redundant = suffixes.size + singles.size - names.length - exact.length;
  return { names, exact, redundant };
}
