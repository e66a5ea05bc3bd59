import type { Service } from '../service.ts';

/** Changes of one service from one catalog to another. */
export interface ServiceDifference {
  readonly service: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** Names and exact names (`=NAME`) that are new, in order. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Other fields that differ, as `regions: us, gb -> us`. */
  readonly fields: readonly string[];
}

/** Services that differ between two catalogs, sorted by id. Services that are alike are left out. */
export function differences(before: readonly Service[], after: readonly Service[]): ServiceDifference[] {
  const old = new Map(before.map((service) => [service.service, service]));
  const now = new Map(after.map((service) => [service.service, service]));
  const ids = [...new Set([...old.keys(), ...now.keys()])].sort();
  return ids.map((id) => difference(id, old.get(id), now.get(id))).filter((found) => found !== null);
}

function difference(service: string, before?: Service, after?: Service): ServiceDifference | null {
  const old = new Set(namesOf(before));
  const now = new Set(namesOf(after));
  const added = [...now].filter((name) => !old.has(name)).sort();
  const removed = [...old].filter((name) => !now.has(name)).sort();
  if (before === undefined) return { service, change: 'added', added, removed, fields: [] };
  if (after === undefined) return { service, change: 'removed', added, removed, fields: [] };
  const fields = changedFields(before, after);
  if (added.length + removed.length + fields.length === 0) return null;
  return { service, change: 'changed', added, removed, fields };
}

function namesOf(service: Service | undefined): string[] {
  if (service === undefined) return [];
  return [...service.names, ...service.exact.map((name) => `=${name}`)];
}

function changedFields(before: Service, after: Service): string[] {
  const fields: string[] = [];
  const compare = (name: string, old: string, now: string) => {
    if (old !== now) fields.push(`${name}: ${old} -> ${now}`);
  };
  compare('title', before.title, after.title);
  compare('regions', before.regions.join(', '), after.regions.join(', '));
  compare('verified', String(before.verified), String(after.verified));
  if (JSON.stringify(before.check) !== JSON.stringify(after.check)) fields.push('check: changed');
  return fields;
}

/** Formats differences for people: a line a service, then a line a name with + or -. */
export function formatDifferences(found: readonly ServiceDifference[]): string {
  const lines = found.flatMap(({ service, change, added, removed, fields }) => [
    `${service}: ${change}`,
    ...fields.map((field) => `    ${field}`),
    ...added.map((name) => `  + ${name}`),
    ...removed.map((name) => `  - ${name}`),
  ]);
  return lines.length === 0 ? 'no difference' : lines.join('\n');
}
