import type { ServiceFile } from './file-reader.ts';
import type { Finding } from './finding.ts';
import { namesAbove } from './host-name.ts';
import type { Service } from './service.ts';
import type { NameEntry, ParsedFile } from './service-file.ts';
import { parseServiceFile } from './service-file.ts';

export interface LoadedServices {
  /** In the order of the files. Usable only without findings of severity `error`. */
  readonly services: Service[];
  readonly findings: Finding[];
}

/**
 * Reads the catalog's files and checks them against each other. Reports every error of every file: unknown
 * keys, malformed or too wide names, an id or a name in two services, a name below another service's. A name
 * below one of the same service is a warning, because it has no effect.
 */
export function loadServices(files: readonly ServiceFile[]): LoadedServices {
  const parsedFiles: ParsedFile[] = [];
  const findings: Finding[] = [];
  for (const file of files) {
    const result = parseServiceFile(file);
    findings.push(...result.findings);
    if (result.parsed !== null) parsedFiles.push(result.parsed);
  }
  findings.push(...repeatedIds(parsedFiles));
  findings.push(...overlaps(parsedFiles.flatMap((parsed) => parsed.entries)));
  return { services: parsedFiles.map((parsed) => parsed.service), findings };
}

function repeatedIds(parsedFiles: readonly ParsedFile[]): Finding[] {
  const findings: Finding[] = [];
  const first = new Map<string, string>();
  for (const { service, serviceLine } of parsedFiles) {
    if (service.service === '') continue;
    const other = first.get(service.service);
    if (other === undefined) first.set(service.service, service.file);
    else {
      const expected = `an id of its own (${other} has it)`;
      const found = JSON.stringify(service.service);
      findings.push({
        severity: 'error',
        file: service.file,
        line: serviceLine,
        path: 'service',
        found,
        expected,
      });
    }
  }
  return findings;
}

function overlap(entry: NameEntry, other: NameEntry, relation: string): Finding {
  const own = entry.file === other.file;
  const place = other.line === null ? other.file : `${other.file}:${other.line}`;
  return {
    severity: own ? 'warning' : 'error',
    file: entry.file,
    line: entry.line,
    path: entry.path,
    found: `${JSON.stringify(entry.name)}, ${relation} ${other.path} of ${other.service} (${place})`,
    expected: own ? 'each name once' : 'a name in one service only',
  };
}

/** Findings about repeated names and names below a listed suffix. */
function overlaps(entries: readonly NameEntry[]): Finding[] {
  const findings: Finding[] = [];
  const suffixes = new Map<string, NameEntry>();
  const given = new Map<string, NameEntry>();
  for (const entry of entries) {
    if (!entry.exact && !suffixes.has(entry.name)) suffixes.set(entry.name, entry);
    const other = given.get(entry.name);
    if (other === undefined) given.set(entry.name, entry);
    else findings.push(overlap(entry, other, 'the same as'));
  }
  for (const entry of entries) {
    for (const above of namesAbove(entry.name)) {
      const other = suffixes.get(above);
      if (other !== undefined) findings.push(overlap(entry, other, `below ${above},`));
    }
  }
  return findings;
}
