import type { FieldName } from '../field.ts';

/** Added to the bytes of an entry for its size (RFC 7541 4.1). */
export const ENTRY_OVERHEAD = 32;
/** Default size of the table; we never offer a larger one (RFC 9113 6.5.2). */
export const MAX_TABLE_BYTES = 4096;
const FIRST_ENTRIES = 8;
const FIRST_BYTES = 256;
const NO_ENTRIES = new Uint16Array(0);
const NO_BYTES = new Uint8Array(0);

/** Layout of an entry, in 16-bit words. */
const START = 0;
const LENGTH = 1;
const NAME_LENGTH = 2;
const MEANING = 3;
const WORDS = 4;
const VALUE_IS_SOUND = 0x100;

/**
 * The dynamic table of one connection (RFC 7541 2.3.2). Keeps a name as its FieldName and its length, not its bytes.
 * Starts empty and grows: most clients index four fields or none.
 */
export class DynamicTable {
  private entries = NO_ENTRIES;
  private bytes = NO_BYTES;
  /** Slot of the newest entry in the ring. */
  private newest = 0;
  count = 0;
  /** End of the newest value; older values lie before it, oldest first. */
  private tail = 0;
  /** Size of all entries, and its limit (RFC 7541 4.1). */
  size = 0;
  maxSize = MAX_TABLE_BYTES;

  /** Memory of the values. */
  get values(): Uint8Array {
    return this.bytes;
  }

  /** Offset of an entry's value in `values`. @param index 0: the newest */
  valueStart(index: number): number {
    return this.entries[this.at(index) + START]!;
  }

  valueLength(index: number): number {
    return this.entries[this.at(index) + LENGTH]!;
  }

  nameLength(index: number): number {
    return this.entries[this.at(index) + NAME_LENGTH]!;
  }

  name(index: number): FieldName {
    return (this.entries[this.at(index) + MEANING]! & 0xff) as FieldName;
  }

  isValueSound(index: number): boolean {
    return (this.entries[this.at(index) + MEANING]! & VALUE_IS_SOUND) !== 0;
  }

  /** Adds an entry; one larger than the table empties it (4.4). `value` must not be this table's memory. */
  add(
    name: FieldName,
    nameLength: number,
    value: Uint8Array,
    start: number,
    end: number,
    isSound: boolean,
  ): void {
    const length = end - start;
    const size = nameLength + length + ENTRY_OVERHEAD;
    this.evictTo(this.maxSize - size);
    if (size > this.maxSize) return;
    this.makeRoom(length);
    this.newest = (this.newest + 1) & (this.entries.length / WORDS - 1);
    this.count++;
    const at = this.at(0);
    const { entries, bytes, tail } = this;
    entries[at + START] = tail;
    entries[at + LENGTH] = length;
    entries[at + NAME_LENGTH] = nameLength;
    entries[at + MEANING] = name | (isSound ? VALUE_IS_SOUND : 0);
    for (let i = 0; i < length; i++) bytes[tail + i] = value[start + i]!;
    this.tail = tail + length;
    this.size += size;
  }

  /** Changes the size limit (4.3). */
  resize(maxSize: number): void {
    this.maxSize = maxSize;
    this.evictTo(maxSize);
  }

  private at(index: number): number {
    const entries = this.entries.length / WORDS;
    return ((this.newest - index) & (entries - 1)) * WORDS;
  }

  private evictTo(size: number): void {
    while (this.count > 0 && this.size > size) {
      const oldest = this.count - 1;
      this.size -= this.nameLength(oldest) + this.valueLength(oldest) + ENTRY_OVERHEAD;
      this.count--;
    }
    if (this.count === 0) this.tail = 0;
  }

  private makeRoom(length: number): void {
    if ((this.count + 1) * WORDS > this.entries.length) this.growEntries();
    if (this.tail + length <= this.bytes.length) return;
    const from = this.count === 0 ? this.tail : this.valueStart(this.count - 1);
    const live = this.tail - from;
    let { bytes } = this;
    if (live + length > bytes.length) {
      let capacity = Math.max(bytes.length, FIRST_BYTES);
      while (capacity < live + length) capacity *= 2;
      bytes = new Uint8Array(capacity);
      bytes.set(this.bytes.subarray(from, this.tail));
      this.bytes = bytes;
    } else bytes.copyWithin(0, from, this.tail);
    for (let i = 0; i < this.count; i++) this.entries[this.at(i) + START]! -= from;
    this.tail = live;
  }

  /** Doubles the ring. 4096 bytes hold at most 128 entries. */
  private growEntries(): void {
    const larger = new Uint16Array(Math.max(this.entries.length * 2, FIRST_ENTRIES * WORDS));
    for (let i = 0; i < this.count; i++) {
      const at = this.at(i);
      larger.set(this.entries.subarray(at, at + WORDS), (this.count - 1 - i) * WORDS);
    }
    this.entries = larger;
    this.newest = Math.max(this.count - 1, 0);
  }
}
