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
  /** Secret 32-bit seed, so that nobody can choose addresses that share a slot. Random by default. */
  readonly seed?: number;
  /** IPv4 addresses to make room for at once. */
  readonly capacity?: number;
}

/** Outcome of a load. The counts are indexed by profile id; index 0 is unused. */
export interface LoadResult {
  readonly added: Uint32Array;
  readonly removed: Uint32Array;
  /** Entries left out because no packet can come from them. */
  readonly skipped: number;
  /** Previous profile of each edit's prefix, 0 if it was not listed; -1 if it cannot be listed. */
  readonly replaced: readonly number[];
}

/**
 * Keeps a superset of the allowlist: called before an entry is added and before all are replaced. Must not
 * throw.
 */
export interface TableObserver {
  adding(prefix: Prefix): void;
  replacing(): void;
}

/** New profile of a prefix; 0 removes it. */
export interface TableEdit {
  readonly prefix: Prefix;
  readonly profile: ProfileId;
}

/**
 * Registered addresses in shared memory, for the writing thread; others read through an AllowlistReader of
 * `handle()`. Readers of the newest handle see a change at once. A table that was outgrown or replaced stays
 * as it was, and `onReplaced` passes on the new handle.
 */
export class AllowlistTable {
  private readonly seed: number;
  /** By family and prefix length; IPv4 /32 and IPv6 /64 always exist. */
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

  /** The newest handle; plain data that can be posted to a thread. */
  handle(): AllowlistHandle {
    return this.current;
  }

  /**
   * Calls the listener with each new handle before anything changes in it. The old handle says that it is
   * superseded only afterwards, so a thread that sees this finds the message waiting.
   *
   * @returns a function that unsubscribes
   */
  onReplaced(listener: (handle: AllowlistHandle) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Sets the observer, or removes it with null. There is one at most. */
  observe(observer: TableObserver | null): void {
    this.observer = observer;
  }

  /**
   * Lists a prefix with a profile, or changes its profile.
   *
   * @returns the previous profile, 0 if it was not listed
   * @throws PrefixNotListableError
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

  /** Removes a prefix, and its bits from memory. @returns the previous profile, 0 if it was not listed */
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
   * Replaces the whole allowlist. Readers keep the old one until they attach the new handle; they never see
   * half of one.
   *
   * @param ids profile id of this process for each profile index of the snapshot
   * @param edits applied in order before any reader sees the result; those that cannot be listed are skipped
   * @throws PrefixNotListableError if a group has an unsupported length; the table is then unchanged
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

  /** Packs all entries as a snapshot's groups, with profile ids of this process instead of indexes. */
  pack(): SnapshotGroup[] {
    return [...this.tables.values()].filter(({ live }) => live > 0).map(packGroup);
  }

  /** Packs all entries as a snapshot has them, in one go: 10 ms for a million. */
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

/** @returns the previous profile of the prefix; -1 if it cannot be listed */
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
