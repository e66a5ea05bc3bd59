import type { Question } from '../wire/index.ts';
import { hashName, nameFromText } from '../wire/index.ts';
import { namesAbove } from './host-name.ts';
import type { Service } from './service.ts';

/**
 * The names of all services, in shared memory, for readers in any thread. Plain data: it can be posted.
 *
 * Open addressing with linear probing. A slot is three 32-bit words: the name's hash, the offset of its
 * wire form in `bytes` plus one (0: the slot is free), and service index * 2 + (1 if exact).
 */
export interface NameTableShare {
  readonly slots: SharedArrayBuffer;
  readonly bytes: SharedArrayBuffer;
  /** No name in the table has more labels than this. */
  readonly maxLabels: number;
}

const SLOT_WORDS = 3;
const FEWEST_SLOTS = 16;
/** A name is compared without a look at its end, so that the last one needs room behind it. */
const PADDING_BYTES = 256;
export const NO_SERVICE = -1;

interface Row {
  readonly wire: Uint8Array;
  readonly service: number;
  readonly exact: boolean;
}

/** One row a name: what a suffix of the same service covers already is left out. */
function collectRows(services: readonly Service[]): { rows: Row[]; maxLabels: number } {
  const rows: Row[] = [];
  let maxLabels = 0;
  for (const [service, { names, exact }] of services.entries()) {
    const suffixes = new Set(names);
    const covered = (name: string) => namesAbove(name).some((above) => suffixes.has(above));
    const singles = [...new Set(exact)].filter((name) => !suffixes.has(name));
    for (const name of [...suffixes, ...singles]) {
      if (covered(name)) continue;
      const wire = nameFromText(name);
      if (wire === null) throw new TypeError('a name of the catalogue was not checked');
      maxLabels = Math.max(maxLabels, name.split('.').length);
      rows.push({ wire, service, exact: !suffixes.has(name) });
    }
  }
  return { rows, maxLabels };
}

function slotCount(rows: number): number {
  let count = FEWEST_SLOTS;
  while (count < rows * 2) count *= 2;
  return count;
}

/** Builds the table. The names must be canonical and free of conflicts (loadServices checks that). */
export function buildNameTable(services: readonly Service[], seed: number): NameTableShare {
  const { rows, maxLabels } = collectRows(services);
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
    slots[slot * SLOT_WORDS + 2] = row.service * 2 + (row.exact ? 1 : 0);
    bytes.set(row.wire, used);
    used += row.wire.length;
  }
  return { slots: slotsShare, bytes: bytesShare, maxLabels };
}

/** What match needs of a question; parseQuestion fills it. */
export type NamedQuestion = Pick<Question, 'name' | 'hashes'>;

/** Reads a NameTableShare. One per thread; match allocates nothing. */
export class NameTable {
  /** After a match: the label at which the catalogue's name starts in the question's. */
  matchedLabel = 0;
  private slots: Int32Array;
  private bytes: Uint8Array;
  private mask: number;
  private maxLabels: number;

  constructor(share: NameTableShare) {
    this.slots = new Int32Array(share.slots);
    this.bytes = new Uint8Array(share.bytes);
    this.mask = this.slots.length / SLOT_WORDS - 1;
    this.maxLabels = share.maxLabels;
  }

  /**
   * The index of the service that takes the question's name, or NO_SERVICE. Walks from the name's right
   * end, so that the shortest suffix wins; the catalogue holds no two that could both.
   */
  match(question: NamedQuestion): number {
    const name = question.name;
    const hashes = question.hashes;
    const slots = this.slots;
    const mask = this.mask;
    const deepest = name.labelCount - this.maxLabels;
    const last = deepest > 0 ? deepest : 0;
    for (let label = name.labelCount - 2; label >= last; label--) {
      const hash = hashes[label];
      let slot = hash & mask;
      for (;;) {
        const offset = slots[slot * SLOT_WORDS + 1];
        if (offset === 0) break;
        if (slots[slot * SLOT_WORDS] === hash) {
          const kind = slots[slot * SLOT_WORDS + 2];
          const eligible = (kind & 1) === 0 || label === 0;
          if (eligible && this.equals(question, label, offset - 1)) {
            this.matchedLabel = label;
            return kind >> 1;
          }
        }
        slot = (slot + 1) & mask;
      }
    }
    return NO_SERVICE;
  }

  /** Wire names end themselves: equal over the whole suffix means equal. */
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
