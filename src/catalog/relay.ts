import { formatAddress, parseAddress } from '../net/index.ts';
import type { Finding } from './finding.ts';
import { describeValue } from './finding.ts';

/** A relay as configured. */
export interface RelayOptions {
  readonly address?: string | null;
  readonly address6?: string | null;
  /** Share of the answers relative to the region's other relays; 0: none. Default 1. */
  readonly weight?: number;
  /** Group that it serves exclusively; null: names without a group, and of groups without a relay here. */
  readonly group?: string | null;
}

export type RegionOptions = Readonly<Record<string, { readonly relays: readonly RelayOptions[] }>>;

/** A relay as steering sees it; its index is its position in the catalog's relays. */
export interface Relay {
  readonly region: string;
  /** 4 bytes, or null. */
  readonly address4: Uint8Array | null;
  /** 16 bytes, or null. */
  readonly address6: Uint8Array | null;
  readonly weight: number;
  readonly group: string | null;
}

/** A region and the indexes of its relays. */
export interface Region {
  readonly region: string;
  readonly relays: readonly number[];
  /** True if one of its relays has a weight above 0. */
  readonly serves: boolean;
}

export interface RegionModel {
  readonly regions: readonly Region[];
  readonly relays: readonly Relay[];
  readonly findings: readonly Finding[];
}

/** A row stores a region in one byte, with 0 for none. */
export const MAX_REGIONS = 254;
/** Relay indexes have 16 bits, with 0xffff for none. */
export const MAX_RELAYS = 0xffff;
const LARGEST_WEIGHT = 1_000_000;

class RegionReader {
  readonly regions: Region[] = [];
  readonly relays: Relay[] = [];
  readonly findings: Finding[] = [];
  private readonly file: string;
  private readonly groups: readonly (string | null)[];

  constructor(file: string, groups: readonly (string | null)[]) {
    this.file = file;
    this.groups = groups;
  }

  note(severity: Finding['severity'], path: string, found: string, expected: string): void {
    this.findings.push({ severity, file: this.file, line: null, path, found, expected });
  }

  /** Bytes of an address of `family`; null if absent or, after a note, of another family. */
  address(value: string | null | undefined, family: 4 | 6, path: string): Uint8Array | null {
    if (value === null || value === undefined) return null;
    const parsed = parseAddress(value);
    if (parsed !== null && parsed.family === family) return parsed.bytes;
    this.note('error', path, describeValue(value), `an IPv${family} address`);
    return null;
  }

  weight(value: number | undefined, path: string): number {
    if (value === undefined) return 1;
    if (Number.isInteger(value) && value >= 0 && value <= LARGEST_WEIGHT) return value;
    this.note('error', path, describeValue(value), `a whole number from 0 to ${LARGEST_WEIGHT}`);
    return 0;
  }

  relay(region: string, options: RelayOptions, path: string): Relay {
    const given = options.address ?? options.address6 ?? null;
    if (given === null) this.note('error', path, 'no address', 'address, address6 or both');
    return {
      region,
      address4: this.address(options.address, 4, `${path}.address`),
      address6: this.address(options.address6, 6, `${path}.address6`),
      weight: this.weight(options.weight, `${path}.weight`),
      group: this.group(options.group, `${path}.group`),
    };
  }

  /** Reads a group. An unknown one is an error: its relay would get no names. */
  group(value: string | null | undefined, path: string): string | null {
    const group = value ?? null;
    if (this.groups.includes(group)) return group;
    const known = this.groups.filter((id) => id !== null);
    const expected =
      known.length === 0 ? 'null, as catalog.groups has none' : `null or one of ${known.join(', ')}`;
    this.note('error', path, describeValue(group), expected);
    return null;
  }

  /** Reports addresses that occur twice in a region: they would occur twice in one answer. */
  repeats(region: string, relays: readonly Relay[]): void {
    const seen = new Set<string>();
    for (const [index, relay] of relays.entries()) {
      for (const bytes of [relay.address4, relay.address6]) {
        if (bytes === null) continue;
        const text = formatAddress({ family: bytes.length === 4 ? 4 : 6, bytes });
        const path = `regions.${region}.relays[${index}]`;
        if (seen.has(text)) this.note('error', path, text, 'each address once in a region');
        seen.add(text);
      }
    }
  }

  region(region: string, options: { readonly relays: readonly RelayOptions[] }): void {
    const path = `regions.${region}`;
    const relays = options.relays.map((relay, index) =>
      this.relay(region, relay, `${path}.relays[${index}]`),
    );
    this.repeats(region, relays);
    const serves = relays.some((relay) => relay.weight > 0);
    if (relays.length === 0) this.note('error', `${path}.relays`, 'no relay', 'at least one relay');
    else if (!serves)
      this.note('warning', `${path}.relays`, 'weight 0 everywhere', 'a relay that may be given');
    this.regions.push({ region, relays: relays.map((_, index) => this.relays.length + index), serves });
    this.relays.push(...relays);
  }
}

/**
 * Checks the configured regions and numbers their relays. Reports every error.
 * @param groups ids that relays may have, including null
 */
export function readRegions(
  options: RegionOptions,
  defaultRegion: string,
  groups: readonly (string | null)[],
  file: string,
): RegionModel {
  const reader = new RegionReader(file, groups);
  for (const [region, value] of Object.entries(options)) reader.region(region, value);
  const names = Object.keys(options);
  if (!names.includes(defaultRegion)) {
    const expected = names.length === 0 ? 'a configured region' : `one of ${names.join(', ')}`;
    reader.note('error', 'defaultRegion', describeValue(defaultRegion), expected);
  }
  if (names.length > MAX_REGIONS) {
    reader.note('error', 'regions', `${names.length} regions`, `at most ${MAX_REGIONS}`);
  }
  if (reader.relays.length > MAX_RELAYS) {
    reader.note('error', 'regions', `${reader.relays.length} relays`, `at most ${MAX_RELAYS}`);
  }
  return reader;
}
