import { type SnapshotGroup, snapshotKeyBytes } from '../feed/index.ts';
import { readWord } from '../net/index.ts';
import type { ProfileId } from './profile-id.ts';
import type { SlotTable } from './slot-table.ts';

/**
 * Entries whose slots are asked of the memory at once: the processor then waits for 64 of them together. One by
 * one, most of a load is waiting.
 */
const WINDOW = 64;

/**
 * Adds the entries of a group to a table that has room for them and that nobody reads yet.
 *
 * @param ids for each profile index of the snapshot its id here
 * @returns how many entries were left out because no packet can come from them
 */
export function fillTable(table: SlotTable, group: SnapshotGroup, ids: ArrayLike<ProfileId>): number {
  const { slots } = table;
  const words = new Int32Array(4 * WINDOW);
  let skipped = 0;
  for (let first = 0; first < group.count; first += WINDOW) {
    const end = Math.min(first + WINDOW, group.count);
    readKeys(group, first, end, words);
    let fetched = 0;
    for (let at = 0; at < 4 * (end - first); at += 4) {
      fetched ^= slots.touch(words[at], words[at + 1], words[at + 2], words[at + 3]);
    }
    keep(fetched);
    for (let index = first, at = 0; index < end; index++, at += 4) {
      const profile = ids[group.profiles[index]];
      if (!slots.holds(words[at])) skipped += 1;
      else insert(table, words, at, profile);
    }
  }
  return skipped;
}

function insert(table: SlotTable, words: Int32Array, at: number, profile: ProfileId): void {
  const { slots } = table;
  const slot = slots.claim(words[at], words[at + 1], words[at + 2], words[at + 3]);
  if (slots.isEmpty(slot)) table.add(slot, words[at], words[at + 1], words[at + 2], words[at + 3], profile);
  else slots.setProfile(slot, profile);
}

function readKeys(group: SnapshotGroup, first: number, end: number, words: Int32Array): void {
  const width = snapshotKeyBytes(group.family, group.length);
  for (let index = first, at = 0; index < end; index++, at += 4) {
    for (let word = 0; 4 * word < width; word++) {
      words[at + word] = readWord(group.keys, index * width + 4 * word);
    }
  }
}

const kept = new Int32Array(1);

/** A load whose result is not used may be left out by the compiler. */
function keep(value: number): void {
  kept[0] = value;
}
