import {
  type Profile,
  profileOfText,
  type Snapshot,
  type SnapshotGroup,
  snapshotKeyBytes,
} from '../../../feed/index.ts';

/** Bytes of an entry's key before the address: family and length. */
const HEAD_BYTES = 2;
const FIRST_SLOTS = 1_024;
/** Part of a group's slots that may be taken. */
const MAX_LOAD = 0.75;

/**
 * Entries as a scan of Redis finds them, each prefix once: open-addressing tables outside of the heap, since a Map holds 16.7
 * million entries at most, of 60 bytes and more each.
 */
export class EntryTable {
  private readonly groups = new Map<number, EntryGroup>();

  /** Adds an entry or replaces it. @param key as `prefixKey` makes it @param profile its number in the store */
  set(key: Uint8Array, profile: number): void {
    const head = key[0] * 256 + key[1];
    let group = this.groups.get(head);
    if (group === undefined) {
      group = new EntryGroup(snapshotKeyBytes(key[0] as 4 | 6, key[1]));
      this.groups.set(head, group);
    }
    group.set(key, profile);
  }

  /**
   * Packs the entries as a snapshot has them, and empties the table. Leaves out those whose profile is gone: they changed
   * after they were read, and the log has the change.
   *
   * @param texts profile's number -> its text
   */
  pack(texts: ReadonlyMap<number, string>): Pick<Snapshot, 'profiles' | 'groups'> {
    const profiles: Profile[] = [];
    const indexes = new Map<number, number>();
    const indexOf = (number: number): number => {
      const known = indexes.get(number);
      if (known !== undefined) return known;
      const profile = texts.get(number);
      const index = profile === undefined ? -1 : profiles.push(profileOfText(profile)) - 1;
      indexes.set(number, index);
      return index;
    };
    const groups: SnapshotGroup[] = [];
    for (const [head, group] of this.groups) {
      this.groups.delete(head);
      const packed = group.pack(indexOf);
      const count = packed.profiles.length;
      if (count > 0) groups.push({ family: (head >> 8) as 4 | 6, length: head & 255, count, ...packed });
    }
    return { profiles, groups };
  }
}

/** Entries of one family and length. */
class EntryGroup {
  private readonly width: number;
  private slots = FIRST_SLOTS;
  private count = 0;
  private keys: Uint8Array;
  /** Profile's number plus 1; 0: free. */
  private numbers: Uint32Array;

  constructor(width: number) {
    this.width = width;
    this.keys = new Uint8Array(FIRST_SLOTS * width);
    this.numbers = new Uint32Array(FIRST_SLOTS);
  }

  /** @param key with its head */
  set(key: Uint8Array, profile: number): void {
    const slot = this.find(key, HEAD_BYTES);
    if (this.numbers[slot] === 0) this.count += 1;
    this.put(slot, key, HEAD_BYTES, profile + 1);
    if (this.count > MAX_LOAD * this.slots) this.grow();
  }

  pack(indexOf: (profile: number) => number): Pick<SnapshotGroup, 'keys' | 'profiles'> {
    const { width } = this;
    const keys = new Uint8Array(this.count * width);
    const profiles = new Uint16Array(this.count);
    let end = 0;
    for (let slot = 0; slot < this.slots; slot++) {
      if (this.numbers[slot] === 0) continue;
      const index = indexOf(this.numbers[slot] - 1);
      if (index === -1) continue;
      for (let at = 0; at < width; at++) keys[end * width + at] = this.keys[slot * width + at];
      profiles[end++] = index;
    }
    if (end === this.count) return { keys, profiles };
    return { keys: keys.slice(0, end * width), profiles: profiles.slice(0, end) };
  }

  private grow(): void {
    const { keys, numbers, slots, width } = this;
    this.slots = 2 * slots;
    this.keys = new Uint8Array(this.slots * width);
    this.numbers = new Uint32Array(this.slots);
    for (let slot = 0; slot < slots; slot++) {
      if (numbers[slot] === 0) continue;
      this.put(this.find(keys, slot * width), keys, slot * width, numbers[slot]);
    }
  }

  /** Returns the slot of a key, or the free one for it. */
  private find(key: Uint8Array, offset: number): number {
    const mask = this.slots - 1;
    let slot = hash(key, offset, this.width) & mask;
    while (this.numbers[slot] !== 0 && !this.isAt(slot, key, offset)) slot = (slot + 1) & mask;
    return slot;
  }

  private isAt(slot: number, key: Uint8Array, offset: number): boolean {
    const start = slot * this.width;
    for (let at = 0; at < this.width; at++) if (this.keys[start + at] !== key[offset + at]) return false;
    return true;
  }

  private put(slot: number, key: Uint8Array, offset: number, number: number): void {
    const start = slot * this.width;
    for (let at = 0; at < this.width; at++) this.keys[start + at] = key[offset + at];
    this.numbers[slot] = number;
  }
}

/** The finalizer of MurmurHash3 over the words of a key. */
function hash(key: Uint8Array, offset: number, width: number): number {
  let value = 0;
  for (let at = offset; at < offset + width; at += 4) {
    const word = (key[at] << 24) | (key[at + 1] << 16) | (key[at + 2] << 8) | key[at + 3];
    value = ((value ^ word) + 0x9e37_79b9) | 0;
    value = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
    value = Math.imul(value ^ (value >>> 13), 0xc2b2_ae35);
    value ^= value >>> 16;
  }
  return value >>> 0;
}
