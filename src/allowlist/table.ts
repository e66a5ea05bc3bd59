import { randomBytes } from 'node:crypto';
import {
  isListableLength,
  type Profile,
  type Snapshot,
  type SnapshotGroup,
  snapshotKeyBytes,
} from '../feed/index.ts';
import { type Prefix, readWord } from '../net/index.ts';
import { PrefixNotListableError } from './errors.ts';
import { fillTable } from './fill.ts';
import { type AllowlistHandle, CONTROL_BYTES, SUPERSEDED } from './handle.ts';
import { NOT_REGISTERED, PROFILE_ID_SPACE, type ProfileId } from './profile-id.ts';
import type { Profiles } from './profiles.ts';
import { SlotTable } from './slot-table.ts';

export interface AllowlistTableOptions {
  /** A secret 32-bit number, so that nobody can choose addresses that handle a slot. Random unless given. */
  readonly seed?: number;
  /** How many IPv4 addresses to make room for at once. */
  readonly capacity?: number;
}

/** What a load did. The counts are indexed by profile id; index 0 means nothing. */
export interface LoadResult {
  readonly added: Uint32Array;
  readonly removed: Uint32Array;
  /** Entries left out because no packet can come from them. */
  readonly skipped: number;
  /** For each edit the profile that its prefix had before, 0 if it was not listed; -1: it cannot be listed. */
  readonly replaced: readonly number[];
}

/**
 * What keeps a copy of the list that must never lack an entry which the table has: it is told before one is added,
 * and before all of them are replaced. It does not throw.
 */
export interface TableObserver {
  adding(prefix: Prefix): void;
  replacing(): void;
}

/** What becomes of a prefix: its profile, 0 if it goes. */
export interface TableEdit {
  readonly prefix: Prefix;
  readonly profile: ProfileId;
}

/**
 * The registered addresses in shared memory, for the one thread that writes them; others read through an
 * AllowlistReader of `handle()`. A change holds at once for readers of the newest handle. What a table outgrows,
 * or a load replaces, is left as it was, and the new handle is handed to `onReplaced`.
 */
export class AllowlistTable {
  private readonly seed: number;
  /** By family and prefix length; IPv4 /32 and IPv6 /64 are always there. */
  private tables: Map<number, SlotTable>;
  private current: AllowlistHandle;
  private readonly listeners = new Set<(handle: AllowlistHandle) => void>();
  private observer: TableObserver | null = null;

  constructor(options: AllowlistTableOptions = {}) {
    this.seed = (options.seed ?? randomBytes(4).readInt32LE()) | 0;
    this.tables = this.emptyTables(options.capacity ?? 0);
    this.current = this.makeHandle(1);
  }

  /** Entries of all families and lengths. */
  get size(): number {
    let size = 0;
    for (const table of this.tables.values()) size += table.live;
    return size;
  }

  /** Bytes of shared memory. */
  get bytes(): number {
    return this.current.tables.reduce((sum, { memory }) => sum + memory.byteLength, 0);
  }

  /** The newest handle; plain data that can be posted to a worker. */
  handle(): AllowlistHandle {
    return this.current;
  }

  /**
   * Calls back with each new handle, before anything is changed in it. Only after that does the old handle say
   * that it is superseded, so that a worker which sees this finds the message waiting.
   *
   * @returns what ends it.
   */
  onReplaced(listener: (handle: AllowlistHandle) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** From now on one is told what is added, in the place of another; null: nobody is. */
  observe(observer: TableObserver | null): void {
    this.observer = observer;
  }

  /**
   * Lists a prefix with a profile, or gives it another.
   *
   * @returns the profile it had before, 0 if it was not listed.
   * @throws PrefixNotListable
   */
  set(prefix: Prefix, profile: ProfileId): ProfileId {
    const [w0, w1, w2, w3] = wordsOf(prefix);
    const table = this.tableFor(prefix);
    if (!table.slots.holds(w0)) throw new PrefixNotListableError();
    const slot = table.slots.slotOf(w0, w1, w2, w3);
    if (slot >= 0) {
      const previous = table.slots.profileAt(slot) as ProfileId;
      table.slots.setProfile(slot, profile);
      return previous;
    }
    const roomy = table.hasRoom ? table : this.rebuild(table);
    this.observer?.adding(prefix);
    roomy.add(roomy.slots.claim(w0, w1, w2, w3), w0, w1, w2, w3, profile);
    return NOT_REGISTERED;
  }

  /** Takes a prefix off the list and its bits out of memory; returns the profile it had, 0 if it was not listed. */
  remove(prefix: Prefix): ProfileId {
    const [w0, w1, w2, w3] = wordsOf(prefix);
    const table = this.tables.get(kindOf(prefix.family, prefix.length));
    if (!table?.slots.holds(w0)) return NOT_REGISTERED;
    const slot = table.slots.slotOf(w0, w1, w2, w3);
    if (slot < 0) return NOT_REGISTERED;
    const previous = table.slots.profileAt(slot) as ProfileId;
    table.remove(slot);
    return previous;
  }

  /**
   * Replaces the whole list. Readers have the old list until they attach the new handle, and never half of one.
   *
   * @param ids for each profile index of the snapshot its id here
   * @param edits done to the new list, in their order, before anyone sees it; those that cannot be are skipped
   * @throws PrefixNotListable if a group has a length that is not listed; the table is then as it was.
   */
  load(
    groups: readonly SnapshotGroup[],
    ids: ArrayLike<ProfileId>,
    edits: readonly TableEdit[] = [],
  ): LoadResult {
    const tables = this.emptyTables(0);
    let skipped = 0;
    for (const group of groups) {
      if (!isListableLength(group.family, group.length)) throw new PrefixNotListableError();
      const table = SlotTable.forEntries(group.family, group.length, group.count, this.seed);
      skipped += fillTable(table, group, ids);
      tables.set(kindOf(group.family, group.length), table);
    }
    const replaced = edits.map((edit) => editTables(tables, edit, this.seed));
    const removed = countProfiles(this.tables);
    this.observer?.replacing();
    this.tables = tables;
    this.publish();
    return { added: countProfiles(tables), removed, skipped, replaced };
  }

  /** Packs all entries as a snapshot's groups, except that their profiles are ids of this process. */
  pack(): SnapshotGroup[] {
    return [...this.tables.values()].filter(({ live }) => live > 0).map(packGroup);
  }

  /** Packs all entries as a snapshot holds them, in one go: 10 ms for a million. */
  packSnapshot(profiles: Profiles): Pick<Snapshot, 'profiles' | 'groups'> {
    const used: Profile[] = [];
    const indexes = new Map<number, number>();
    const groups = this.pack();
    for (const group of groups) {
      for (let entry = 0; entry < group.count; entry++) {
        const id = group.profiles[entry];
        let index = indexes.get(id);
        if (index === undefined) {
          index = used.push(profiles.get(id as ProfileId)) - 1;
          indexes.set(id, index);
        }
        group.profiles[entry] = index;
      }
    }
    return { profiles: used, groups };
  }

  private tableFor(prefix: Prefix): SlotTable {
    const { family, length } = prefix;
    const table = this.tables.get(kindOf(family, length));
    if (table) return table;
    if (!isListableLength(family, length)) throw new PrefixNotListableError();
    const added = SlotTable.forEntries(family, length, 0, this.seed);
    this.tables.set(kindOf(family, length), added);
    this.publish();
    return added;
  }

  private rebuild(table: SlotTable): SlotTable {
    const rebuilt = table.rebuilt();
    this.tables.set(kindOf(table.handle.family, table.handle.length), rebuilt);
    this.publish();
    return rebuilt;
  }

  private publish(): void {
    const old = new Int32Array(this.current.control);
    this.current = this.makeHandle(this.current.generation + 1);
    for (const listener of this.listeners) listener(this.current);
    Atomics.store(old, SUPERSEDED, 1);
  }

  private makeHandle(generation: number): AllowlistHandle {
    return {
      generation,
      seed: this.seed,
      control: new SharedArrayBuffer(CONTROL_BYTES),
      tables: [...this.tables.values()].map((table) => table.handle),
    };
  }

  private emptyTables(ipv4Entries: number): Map<number, SlotTable> {
    return new Map([
      [kindOf(4, 32), SlotTable.forEntries(4, 32, ipv4Entries, this.seed)],
      [kindOf(6, 64), SlotTable.forEntries(6, 64, 0, this.seed)],
    ]);
  }
}

function packGroup({ handle, slots, live }: SlotTable): SnapshotGroup {
  const { family, length } = handle;
  const keys = new Uint8Array(live * snapshotKeyBytes(family, length));
  const profiles = new Uint16Array(live);
  slots.pack(keys, profiles);
  return { family, length, count: live, keys, profiles };
}

function kindOf(family: 4 | 6, length: number): number {
  return family * 256 + length;
}

function wordsOf({ family, bytes }: Prefix): [number, number, number, number] {
  if (family === 4) return [readWord(bytes, 0), 0, 0, 0];
  return [readWord(bytes, 0), readWord(bytes, 4), readWord(bytes, 8), readWord(bytes, 12)];
}

/** @returns what the prefix had before; -1 if it cannot be listed. */
function editTables(tables: Map<number, SlotTable>, { prefix, profile }: TableEdit, seed: number): number {
  const { family, length } = prefix;
  if (!isListableLength(family, length)) return -1;
  const [w0, w1, w2, w3] = wordsOf(prefix);
  const kind = kindOf(family, length);
  let table = tables.get(kind) ?? SlotTable.forEntries(family, length, 0, seed);
  if (!table.slots.holds(w0)) return -1;
  const slot = table.slots.slotOf(w0, w1, w2, w3);
  const previous = slot < 0 ? NOT_REGISTERED : table.slots.profileAt(slot);
  if (slot >= 0 && profile === NOT_REGISTERED) table.remove(slot);
  else if (slot >= 0) table.slots.setProfile(slot, profile);
  else if (profile !== NOT_REGISTERED) {
    if (!table.hasRoom) table = table.rebuilt();
    table.add(table.slots.claim(w0, w1, w2, w3), w0, w1, w2, w3, profile);
  }
  tables.set(kind, table);
  return previous;
}

function countProfiles(tables: ReadonlyMap<number, SlotTable>): Uint32Array {
  const counts = new Uint32Array(PROFILE_ID_SPACE);
  for (const { slots } of tables.values()) slots.countProfiles(counts);
  counts[NOT_REGISTERED] = 0;
  return counts;
}
