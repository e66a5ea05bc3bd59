import { coversWith } from './check/covers.ts';
import { readCheck } from './check/read-check.ts';
import { FileReader, type ServiceFile } from './file-reader.ts';
import type { Finding } from './finding.ts';
import { describeValue } from './finding.ts';
import { canonicalHostName } from './host-name.ts';
import { refuseExact, refuseSuffix } from './name-rule.ts';
import type { Service } from './service.ts';
import { parseVerification, VERIFICATION_FORM, type Verification } from './verification.ts';

/** A name and where it stands in the file. */
export interface NameEntry {
  readonly name: string;
  readonly exact: boolean;
  readonly service: string;
  readonly file: string;
  readonly line: number | null;
  readonly path: string;
}

export interface ParsedFile {
  readonly service: Service;
  readonly serviceLine: number | null;
  readonly entries: readonly NameEntry[];
}

const KEYS = ['service', 'title', 'regions', 'names', 'exact', 'verified', 'source', 'check'];
const SERVICE_ID = /^[a-z0-9-]+$/;
const REGION_ID = /^[a-z0-9][a-z0-9-]*$/;
const LONGEST_ID = 63;
const LONGEST_TEXT = 200;

function readRegions(reader: FileReader, mapping: Record<string, unknown>): string[] {
  const before = reader.findings.length;
  const regions: string[] = [];
  for (const { index, value } of reader.list(mapping, 'regions')) {
    const refused = !REGION_ID.test(value) || value === 'off';
    if (!refused && !regions.includes(value)) {
      regions.push(value);
      continue;
    }
    const expected = refused ? 'a region such as us (lower case, not off)' : 'each region once';
    reader.note(reader.line(['regions', index]), `regions[${index}]`, describeValue(value), expected);
  }
  if (regions.length === 0 && reader.findings.length === before) {
    reader.note(
      reader.line(['regions']),
      'regions',
      describeValue(mapping['regions']),
      'at least one region',
    );
  }
  return regions;
}

function readNames(
  reader: FileReader,
  mapping: Record<string, unknown>,
  key: 'names' | 'exact',
  at: { service: string; file: string },
): NameEntry[] {
  const entries: NameEntry[] = [];
  const refuse = key === 'exact' ? refuseExact : refuseSuffix;
  for (const { index, value } of reader.list(mapping, key)) {
    const path = `${key}[${index}]`;
    const line = reader.line([key, index]);
    const host = canonicalHostName(value);
    const expected = host.name === null ? host.expected : (refuse(host.name)?.expected ?? null);
    if (host.name === null || expected !== null) reader.note(line, path, describeValue(value), expected!);
    else entries.push({ name: host.name, exact: key === 'exact', ...at, line, path });
  }
  return entries;
}

function noteUnknownKeys(reader: FileReader, mapping: Record<string, unknown>): void {
  for (const key of Object.keys(mapping)) {
    if (KEYS.includes(key)) continue;
    reader.note(reader.line([key]), key, 'an unknown key', `one of ${KEYS.join(', ')}`);
  }
}

function readVerified(reader: FileReader, mapping: Record<string, unknown>): Verification {
  const value = mapping['verified'];
  if (value === undefined) return false;
  const verified = parseVerification(value);
  const line = reader.line(['verified']);
  if (verified === null) reader.note(line, 'verified', describeValue(value), VERIFICATION_FORM);
  else if (value === true) reader.warn(line, 'verified', 'true, read as imported', VERIFICATION_FORM);
  return verified ?? false;
}

/**
 * Reads one catalog file and reports every error in it. Leaves out what is wrong, so that the rest can still
 * be checked against other files.
 */
export function parseServiceFile(file: ServiceFile): { parsed: ParsedFile | null; findings: Finding[] } {
  const reader = new FileReader(file);
  const mapping = reader.mapping();
  if (mapping === null) return { parsed: null, findings: reader.findings };
  noteUnknownKeys(reader, mapping);
  const idForm = 'an id of a-z, 0-9 and hyphens';
  let service = reader.text(mapping, 'service', SERVICE_ID, idForm);
  if (service.length > LONGEST_ID) {
    reader.note(
      reader.line(['service']),
      'service',
      describeValue(service),
      `${idForm}, at most ${LONGEST_ID}`,
    );
    service = '';
  }
  const line = new RegExp(`^[^\\p{Cc}]{1,${LONGEST_TEXT}}$`, 'u');
  const title = reader.text(mapping, 'title', line, 'a title on one line');
  const hasSource = mapping['source'] !== undefined && mapping['source'] !== null;
  const source = hasSource ? reader.text(mapping, 'source', line, 'text on one line') : null;
  const verified = readVerified(reader, mapping);
  const regions = readRegions(reader, mapping);
  const at = { service, file: file.path };
  const before = reader.findings.length;
  const names = readNames(reader, mapping, 'names', at);
  const exact = readNames(reader, mapping, 'exact', at);
  if (names.length + exact.length === 0 && reader.findings.length === before) {
    reader.note(reader.line(['names']), 'names', 'no name', 'at least one under names or exact');
  }
  const covers = coversWith({ names: names.map(({ name }) => name), exact: exact.map(({ name }) => name) });
  const parsed: ParsedFile = {
    service: {
      service,
      title,
      regions,
      names: names.map((entry) => entry.name),
      exact: exact.map((entry) => entry.name),
      verified,
      source,
      check: readCheck(reader, mapping['check'], covers),
      file: file.path,
    },
    serviceLine: reader.line(['service']),
    entries: [...names, ...exact],
  };
  return { parsed, findings: reader.findings };
}
