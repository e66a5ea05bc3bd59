import type { Fault } from './fault.ts';
import { describeValue } from './fault.ts';
import { coveringName } from './host-name.ts';
import type { Service } from './service.ts';

/** Group ids, each with its members: ids of services, and host names that the catalog has. */
export type GroupOptions = Readonly<Record<string, readonly string[]>>;

/** A host name whose group is not its service's: that name and all below it, if an entry of `names` covers it. */
export interface GroupedName {
  readonly name: string;
  /** Index of the service that has it. */
  readonly service: number;
  readonly group: number;
}

/** Groups by number: 0 is no group, the others count from 1 in the order of the configuration. */
export interface GroupModel {
  /** Ids by number; null for 0. */
  readonly ids: readonly (string | null)[];
  /** Group numbers by the index of a service. */
  readonly ofService: readonly number[];
  readonly names: readonly GroupedName[];
  readonly faults: readonly Fault[];
}

/** A row of the name table keeps a group in 8 bits, 0 being none. */
export const MAX_GROUPS = 255;

const KEY = 'catalog.groups';

/** Finds the service that a name belongs to, by its index: slower than a name table, and without one. */
export class NameOwners {
  private readonly suffixes = new Map<string, number>();
  private readonly singles = new Map<string, number>();

  constructor(services: readonly Service[]) {
    for (const [index, { names, exact }] of services.entries()) {
      for (const name of names) this.suffixes.set(name, index);
      for (const name of exact) this.singles.set(name, index);
    }
  }

  of(name: string): number | undefined {
    const above = this.suffixes.has(name) ? name : coveringName(name, (at) => this.suffixes.has(at));
    return above === null ? this.singles.get(name) : this.suffixes.get(above);
  }
}

/**
 * Reads the groups of the configuration against the catalog. Faults: a member that is in no catalog file, or in
 * two groups. Ids of services have no dot, and names of the catalog have one.
 */
export function readGroups(options: GroupOptions, services: readonly Service[], file: string): GroupModel {
  const indexes = new Map(services.map(({ service }, index) => [service, index]));
  const owners = new NameOwners(services);
  const faults: Fault[] = [];
  const ofService = services.map(() => 0);
  const names: GroupedName[] = [];
  const keyOf = new Map<string, string>();
  const note = (path: string, found: string, expected: string): void => {
    faults.push({ severity: 'fault', file, line: null, path, found, expected });
  };
  const ids = Object.keys(options);
  if (ids.length > MAX_GROUPS) note(KEY, `${ids.length} groups`, `at most ${MAX_GROUPS}`);
  for (const [position, id] of ids.entries()) {
    for (const [index, member] of options[id].entries()) {
      const path = `${KEY}.${id}[${index}]`;
      const isName = member.includes('.');
      const service = isName ? owners.of(member) : indexes.get(member);
      const other = keyOf.get(member);
      if (service === undefined) {
        const expected = isName ? 'a name of the catalog' : 'the id of a service, or a name of the catalog';
        note(path, describeValue(member), expected);
      } else if (other !== undefined) {
        note(path, `${describeValue(member)}, which ${other} has too`, 'each member once');
      } else if (isName) names.push({ name: member, service, group: position + 1 });
      else ofService[service] = position + 1;
      keyOf.set(member, path);
    }
  }
  return { ids: [null, ...ids], ofService, names, faults };
}
