import type { Service } from '../service.ts';
import type { ImportResult } from './import.ts';

/** More new names than this, and than half of what a service has, look like a list that took in something else. */
const MOST_NEW_NAMES = 5;

type Names = Pick<ImportResult, 'names' | 'exact'>;

/** A service with its list's changes. */
export interface RefreshedService {
  readonly names: readonly string[];
  readonly exact: readonly string[];
  /** Reason why the changes should not be taken unseen; null: none. */
  readonly suspicion: string | null;
}

/**
 * Applies to a service what has changed in its list from one commit to another. Names that were left out by hand stay out,
 * and names that were added by hand stay.
 */
export function refreshNames(service: Service, before: Names, after: Names): RefreshedService {
  const names = merge(service.names, before.names, after.names);
  const exact = merge(service.exact, before.exact, after.exact);
  const had = service.names.length + service.exact.length;
  const added = names.added + exact.added;
  const removed = names.removed + exact.removed;
  const suspicion =
    added > Math.max(MOST_NEW_NAMES, had / 2)
      ? `${added} new names beside ${had}`
      : removed > 0 && removed >= had / 2
        ? `${removed} of ${had} names gone`
        : null;
  return { names: names.merged, exact: exact.merged, suspicion };
}

function merge(own: readonly string[], before: readonly string[], after: readonly string[]) {
  const had = new Set(own);
  const old = new Set(before);
  const now = new Set(after);
  const added = after.filter((name) => !old.has(name) && !had.has(name));
  const kept = own.filter((name) => now.has(name) || !old.has(name));
  return { merged: [...kept, ...added], added: added.length, removed: own.length - kept.length };
}
