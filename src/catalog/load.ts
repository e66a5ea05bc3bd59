import type { Fault } from './fault.ts';
import { namesAbove } from './host-name.ts';
import type { Service } from './service.ts';
import type { NameEntry, ParsedFile, ServiceFile } from './service-file.ts';
import { parseServiceFile } from './service-file.ts';

export interface LoadedServices {
  /** In the order of the files. Of use only where no fault is of severity `fault`. */
  readonly services: Service[];
  readonly faults: Fault[];
}

/**
 * Reads the catalog's files and checks them against each other. All faults of all files are
 * reported: unknown keys, malformed or too wide names, an id given twice, a name in two services, a
 * name below another service's. A name below one of its own service is a warning: it changes nothing.
 */
export function loadServices(files: readonly ServiceFile[]): LoadedServices {
  const parsedFiles: ParsedFile[] = [];
  const faults: Fault[] = [];
  for (const file of files) {
    const result = parseServiceFile(file);
    faults.push(...result.faults);
    if (result.parsed !== null) parsedFiles.push(result.parsed);
  }
  faults.push(...repeatedIds(parsedFiles));
  faults.push(...overlaps(parsedFiles.flatMap((parsed) => parsed.entries)));
  return { services: parsedFiles.map((parsed) => parsed.service), faults };
}

function repeatedIds(parsedFiles: readonly ParsedFile[]): Fault[] {
  const faults: Fault[] = [];
  const first = new Map<string, string>();
  for (const { service, serviceLine } of parsedFiles) {
    if (service.service === '') continue;
    const other = first.get(service.service);
    if (other === undefined) first.set(service.service, service.file);
    else {
      const expected = `an id of its own (${other} has it)`;
      const found = JSON.stringify(service.service);
      faults.push({
        severity: 'fault',
        file: service.file,
        line: serviceLine,
        path: 'service',
        found,
        expected,
      });
    }
  }
  return faults;
}

function overlap(entry: NameEntry, other: NameEntry, relation: string): Fault {
  const own = entry.file === other.file;
  const place = other.line === null ? other.file : `${other.file}:${other.line}`;
  return {
    severity: own ? 'warning' : 'fault',
    file: entry.file,
    line: entry.line,
    path: entry.path,
    found: `${JSON.stringify(entry.name)}, ${relation} ${other.path} of ${other.service} (${place})`,
    expected: own ? 'each name once' : 'a name in one service only',
  };
}

/** Names given twice, and names below a suffix that is given. */
function overlaps(entries: readonly NameEntry[]): Fault[] {
  const faults: Fault[] = [];
  const suffixes = new Map<string, NameEntry>();
  const given = new Map<string, NameEntry>();
  for (const entry of entries) {
    if (!entry.exact && !suffixes.has(entry.name)) suffixes.set(entry.name, entry);
    const other = given.get(entry.name);
    if (other === undefined) given.set(entry.name, entry);
    else faults.push(overlap(entry, other, 'the same as'));
  }
  for (const entry of entries) {
    for (const above of namesAbove(entry.name)) {
      const other = suffixes.get(above);
      if (other !== undefined) faults.push(overlap(entry, other, `below ${above},`));
    }
  }
  return faults;
}
