import { type SnapshotGroup, snapshotKeyBytes } from '../feed/index.ts';
import { readWord } from '../net/index.ts';
import type { ProfileId } from './profile-id.ts';
import type { SlotTable } from './slot-table.ts';

/**
 * Entries whose slots are prefetched together, so that 64 memory accesses overlap. One by one, a load mostly
 * waits for memory.
 */
const WINDOW = 64;

/**
 * Adds a group's entries to a table that has room for them and no readers yet.
 *
 * @param ids profile id of this process for each profile index of the snapshot
 * @returns number of entries left out because no packet can come from them
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

/** Uses the prefetched value, so that the compiler cannot drop the load. */
function keep(value: number): void {
  kept[0] = value;
}
