import type { Question } from '../wire/index.ts';
import { hashName, nameFromText } from '../wire/index.ts';
import type { GroupModel } from './group.ts';
import { namesAbove } from './host-name.ts';
import type { Service } from './service.ts';

/**
 * The names of all services, in shared memory. Plain data that can be posted to any thread.
 *
 * Open addressing with linear probing. A slot has three 32-bit words: the name's hash, the offset of its wire
 * form in `bytes` plus one (0: the slot is empty), and EXACT, DIVIDED, the group and the service index of the
 * name.
 */
export interface NameTableHandle {
  readonly slots: SharedArrayBuffer;
  readonly bytes: SharedArrayBuffer;
  /** Most labels of any name in the table. */
  readonly maxLabels: number;
}

const SLOT_WORDS = 3;
const FEWEST_SLOTS = 16;
/** Comparison does not check for the end of `bytes`, so the last name needs room behind it. */
const PADDING_BYTES = 256;
export const NO_SERVICE = -1;

/** The name alone, not the names below it. */
const EXACT = 1;
/** Names below may have another group: keep looking for a longer match. */
const DIVIDED = 2;
const GROUP_SHIFT = 2;
const GROUP_MASK = 0xff;
const SERVICE_SHIFT = 10;

/** Groups of services and of single names. */
export type NameGroups = Pick<GroupModel, 'ofService' | 'names'>;

interface Row {
  readonly wire: Uint8Array;
  readonly service: number;
  readonly exact: boolean;
  group: number;
  divided: boolean;
}

function makeRow(name: string, service: number, exact: boolean, group: number): Row {
  const wire = nameFromText(name);
  if (wire === null) throw new TypeError('a name of the catalog was not checked');
  return { wire, service, exact, group, divided: false };
}

/** One row a name. A name that a suffix of the same service covers has no row, unless it has a group. */
function collectRows(services: readonly Service[], groups: NameGroups): Map<string, Row> {
  const rows = new Map<string, Row>();
  for (const [service, { names, exact }] of services.entries()) {
    const suffixes = new Set(names);
    const covered = (name: string) => namesAbove(name).some((above) => suffixes.has(above));
    const singles = [...new Set(exact)].filter((name) => !suffixes.has(name));
    for (const name of [...suffixes, ...singles]) {
      if (covered(name)) continue;
      rows.set(name, makeRow(name, service, !suffixes.has(name), groups.ofService[service] ?? 0));
    }
  }
  for (const { name, service, group } of groups.names) {
    const known = rows.get(name);
    if (known === undefined) rows.set(name, makeRow(name, service, false, group));
    else known.group = group;
  }
  for (const { name } of groups.names) {
    for (const above of namesAbove(name)) {
      const row = rows.get(above);
      if (row !== undefined) row.divided = true;
    }
  }
  return rows;
}

function slotCount(rows: number): number {
  let count = FEWEST_SLOTS;
  while (count < rows * 2) count *= 2;
  return count;
}

const NO_GROUPS: NameGroups = { ofService: [], names: [] };

/**
 * Builds the table. Names must be canonical and without conflicts (see loadServices), and names of groups
 * must be names of the services (see readGroups).
 */
export function buildNameTable(
  services: readonly Service[],
  seed: number,
  groups: NameGroups = NO_GROUPS,
): NameTableHandle {
  const byName = collectRows(services, groups);
  const rows = [...byName.values()];
  const maxLabels = [...byName.keys()].reduce((most, name) => Math.max(most, name.split('.').length), 0);
  const count = slotCount(rows.length);
  const total = rows.reduce((sum, row) => sum + row.wire.length, 0);
  const slotsShare = new SharedArrayBuffer(count * SLOT_WORDS * 4);
  const bytesShare = new SharedArrayBuffer(total + PADDING_BYTES);
  const slots = new Int32Array(slotsShare);
  const bytes = new Uint8Array(bytesShare);
  let used = 0;
  for (const row of rows) {
    const hash = hashName(row.wire, seed);
    let slot = hash & (count - 1);
    while (slots[slot * SLOT_WORDS + 1] !== 0) slot = (slot + 1) & (count - 1);
    slots[slot * SLOT_WORDS] = hash;
    slots[slot * SLOT_WORDS + 1] = used + 1;
    slots[slot * SLOT_WORDS + 2] = kindOf(row);
    bytes.set(row.wire, used);
    used += row.wire.length;
  }
  return { slots: slotsShare, bytes: bytesShare, maxLabels };
}

function kindOf({ service, group, exact, divided }: Row): number {
  return (service << SERVICE_SHIFT) | (group << GROUP_SHIFT) | (divided ? DIVIDED : 0) | (exact ? EXACT : 0);
}

/** The part of a question that match reads; parseQuestion fills it. */
export type NamedQuestion = Pick<Question, 'name' | 'hashes'>;

/** Reads a NameTableHandle. One per thread; match allocates nothing. */
export class NameTable {
  /** After a match: the label of the question at which the catalog's name starts. */
  matchedLabel = 0;
  /** After a match: the group of the name, 0 for none. */
  matchedGroup = 0;
  private slots: Int32Array;
  private bytes: Uint8Array;
  private mask: number;
  private maxLabels: number;

  constructor(handle: NameTableHandle) {
    this.slots = new Int32Array(handle.slots);
    this.bytes = new Uint8Array(handle.bytes);
    this.mask = this.slots.length / SLOT_WORDS - 1;
    this.maxLabels = handle.maxLabels;
  }

  /**
   * Finds the service of the question's name by index, or NO_SERVICE. Walks from the right end of the name,
   * so the shortest suffix wins; the catalog has no two that could both match. In a suffix divided into
   * groups the longest name decides the group.
   */
  match(question: NamedQuestion): number {
    const name = question.name;
    const hashes = question.hashes;
    const slots = this.slots;
    const mask = this.mask;
    const deepest = name.labelCount - this.maxLabels;
    const last = deepest > 0 ? deepest : 0;
    let service = NO_SERVICE;
    for (let label = name.labelCount - 2; label >= last; label--) {
      const hash = hashes[label];
      let slot = hash & mask;
      for (;;) {
        const offset = slots[slot * SLOT_WORDS + 1];
        if (offset === 0) break;
        if (slots[slot * SLOT_WORDS] === hash) {
          const kind = slots[slot * SLOT_WORDS + 2];
          const eligible = (kind & EXACT) === 0 || label === 0;
          if (eligible && this.equals(question, label, offset - 1)) {
            this.matchedLabel = label;
            this.matchedGroup = (kind >> GROUP_SHIFT) & GROUP_MASK;
            service = kind >> SERVICE_SHIFT;
            if ((kind & DIVIDED) === 0) return service;
            break;
          }
        }
        slot = (slot + 1) & mask;
      }
    }
    return service;
  }

  /** Names in wire form are self-terminating: equal over the whole suffix means equal. */
  private equals(question: NamedQuestion, label: number, offset: number): boolean {
    const asked = question.name.bytes;
    const bytes = this.bytes;
    const length = question.name.length;
    for (let i = question.name.labelOffsets[label], j = offset; i < length; i++, j++) {
      if (asked[i] !== bytes[j]) return false;
    }
    return true;
  }
}
