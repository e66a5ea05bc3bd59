import { formatAddress, parseAddress } from '../net/index.ts';
import type { Fault } from './fault.ts';
import { describeValue } from './fault.ts';

/** A relay as the configuration gives it. */
export interface RelayOptions {
  readonly address?: string | null;
  readonly address6?: string | null;
  /** Share of the answers relative to the region's other relays; 0: none. 1 if not given. */
  readonly weight?: number;
  /** The group whose names it serves alone; null: names of no group, and of groups that have no relay here. */
  readonly group?: string | null;
}

export type RegionOptions = Readonly<Record<string, { readonly relays: readonly RelayOptions[] }>>;

/** A relay as steering knows it; its index is its place in the catalog's list of relays. */
export interface Relay {
  readonly region: string;
  /** 4 bytes, or null where it has none. */
  readonly address4: Uint8Array | null;
  /** 16 bytes, or null where it has none. */
  readonly address6: Uint8Array | null;
  readonly weight: number;
  readonly group: string | null;
}

/** A region and the indexes of its relays. */
export interface Region {
  readonly region: string;
  readonly relays: readonly number[];
  /** Whether one of its relays may be given: it has a weight above 0. */
  readonly serves: boolean;
}

export interface RegionModel {
  readonly regions: readonly Region[];
  readonly relays: readonly Relay[];
  readonly faults: readonly Fault[];
}

/** A row keeps a region in one byte, 0 being none. */
export const MAX_REGIONS = 254;
/** Relay indexes are 16 bits wide, 0xffff being none. */
export const MAX_RELAYS = 0xffff;
const LARGEST_WEIGHT = 1_000_000;

class RegionReader {
  readonly regions: Region[] = [];
  readonly relays: Relay[] = [];
  readonly faults: Fault[] = [];
  private readonly file: string;
  private readonly groups: readonly (string | null)[];

  constructor(file: string, groups: readonly (string | null)[]) {
    this.file = file;
    this.groups = groups;
  }

  note(severity: Fault['severity'], path: string, found: string, expected: string): void {
    this.faults.push({ severity, file: this.file, line: null, path, found, expected });
  }

  /** The bytes of an address of `family`; null where it is not given or (noted) not of that family. */
  address(value: string | null | undefined, family: 4 | 6, path: string): Uint8Array | null {
    if (value === null || value === undefined) return null;
    const parsed = parseAddress(value);
    if (parsed !== null && parsed.family === family) return parsed.bytes;
    this.note('fault', path, describeValue(value), `an IPv${family} address`);
    return null;
  }

  weight(value: number | undefined, path: string): number {
    if (value === undefined) return 1;
    if (Number.isInteger(value) && value >= 0 && value <= LARGEST_WEIGHT) return value;
    this.note('fault', path, describeValue(value), `a whole number from 0 to ${LARGEST_WEIGHT}`);
    return 0;
  }

  relay(region: string, options: RelayOptions, path: string): Relay {
    const given = options.address ?? options.address6 ?? null;
    if (given === null) this.note('fault', path, 'no address', 'address, address6 or both');
    return {
      region,
      address4: this.address(options.address, 4, `${path}.address`),
      address6: this.address(options.address6, 6, `${path}.address6`),
      weight: this.weight(options.weight, `${path}.weight`),
      group: this.group(options.group, `${path}.group`),
    };
  }

  /** A group that has no names would leave its relay without any. */
  group(value: string | null | undefined, path: string): string | null {
    const group = value ?? null;
    if (this.groups.includes(group)) return group;
    const known = this.groups.filter((id) => id !== null);
    const expected =
      known.length === 0 ? 'null, as catalog.groups has none' : `null or one of ${known.join(', ')}`;
    this.note('fault', path, describeValue(group), expected);
    return null;
  }

  /** The same address twice in a region would be given twice in one answer. */
  repeats(region: string, relays: readonly Relay[]): void {
    const seen = new Set<string>();
    for (const [index, relay] of relays.entries()) {
      for (const bytes of [relay.address4, relay.address6]) {
        if (bytes === null) continue;
        const text = formatAddress({ family: bytes.length === 4 ? 4 : 6, bytes });
        const path = `regions.${region}.relays[${index}]`;
        if (seen.has(text)) this.note('fault', path, text, 'each address once in a region');
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
    if (relays.length === 0) this.note('fault', `${path}.relays`, 'no relay', 'at least one relay');
    else if (!serves)
      this.note('warning', `${path}.relays`, 'weight 0 everywhere', 'a relay that may be given');
    this.regions.push({ region, relays: relays.map((_, index) => this.relays.length + index), serves });
    this.relays.push(...relays);
  }
}

/**
 * Checks the configured regions and numbers their relays. All faults are reported.
 * @param groups ids that relays may have, null among them
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
    reader.note('fault', 'defaultRegion', describeValue(defaultRegion), expected);
  }
  if (names.length > MAX_REGIONS) {
    reader.note('fault', 'regions', `${names.length} regions`, `at most ${MAX_REGIONS}`);
  }
  if (reader.relays.length > MAX_RELAYS) {
    reader.note('fault', 'regions', `${reader.relays.length} relays`, `at most ${MAX_RELAYS}`);
  }
  return reader;
}
