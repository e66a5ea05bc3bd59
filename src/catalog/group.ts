import type { Finding } from './finding.ts';
import { describeValue } from './finding.ts';
import { coveringName } from './host-name.ts';
import type { Service } from './service.ts';

/** Members of each group: ids of services, and host names of the catalog. */
export type GroupOptions = Readonly<Record<string, readonly string[]>>;

/**
 * A host name in another group than its service. It takes all names below it along, if an entry of `names`
 * covers it.
 */
export interface GroupedName {
  readonly name: string;
  /** Index of the service that has the name. */
  readonly service: number;
  readonly group: number;
}

/** Groups by number: 0 means no group, the others count from 1 in the order of the configuration. */
export interface GroupModel {
  /** Group ids by number; null for 0. */
  readonly ids: readonly (string | null)[];
  /** Group numbers by service index. */
  readonly ofService: readonly number[];
  readonly names: readonly GroupedName[];
  readonly findings: readonly Finding[];
}

/** The name table stores a group in 8 bits, with 0 for none. */
export const MAX_GROUPS = 255;

const KEY = 'catalog.groups';

/** Finds the service of a name, by its index. Slower than a name table, but needs none. */
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
 * Checks the configured groups against the catalog. A member that is in no catalog file, or in two groups, is
 * an error. A member with a dot is a name, one without a service id.
 */
export function readGroups(options: GroupOptions, services: readonly Service[], file: string): GroupModel {
  const indexes = new Map(services.map(({ service }, index) => [service, index]));
  const owners = new NameOwners(services);
  const findings: Finding[] = [];
  const ofService = services.map(() => 0);
  const names: GroupedName[] = [];
  const keyOf = new Map<string, string>();
  const note = (path: string, found: string, expected: string): void => {
    findings.push({ severity: 'error', file, line: null, path, found, expected });
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
  return { ids: [null, ...ids], ofService, names, findings };
}
