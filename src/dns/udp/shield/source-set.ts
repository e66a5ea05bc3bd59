import type { Prefix } from '../../../net/index.ts';
import { BATCH_ENTRIES, BpfMap, BpfMapType } from '../../../sys/bpf/index.ts';
import { hashAt, mix, saltOf, wordsOf } from './hash.ts';

/** A cache line, so that a lookup waits for memory once. */
export const LINE_BYTES = 64;
const LINE_WORDS = LINE_BYTES / 4;
/** Bits that a prefix sets in its line. */
export const PROBES = 3;
/** Bits of the second hash for one probe: 4 for the word, 5 for the bit in it. */
export const PROBE_BITS = 9;
/** Makes the second hash from the first, which chooses the line. */
export const SECOND_HASH = 0x9e3779b9;

/** At 16 bits a prefix one in 140 of the others passes, at 8 one in 26: then the set is rebuilt. */
const BITS_AT_FIRST = 16;
const BITS_AT_LAST = 8;
const LEAST_LINES = 1024;
/** Entries in one slice of work: 1 ms, or 10 ms if the set is far larger than the caches. */
const SLICE_ENTRIES = 16_384;

/** The prefixes of one family and length. */
export interface PrefixGroup {
  readonly family: 4 | 6;
  readonly length: number;
  readonly count: number;
  /** `count` keys in network order: IPv4 4 bytes; IPv6 the upper 8 where they hold the prefix, else 16. */
  readonly keys: Uint8Array;
}

/**
 * The allowlist in a form that a kernel filter reads: a Bloom filter with each prefix in one cache line. Registered
 * sources are always found; a few others pass too, and are decided as always. It takes 2 to 4 bytes a prefix and 30
 * ns to add one. The kernel's hash maps took 107 bytes and 700 ns, so that a million addresses were filtered only 1.6
 * s after a flood began. A removed prefix stays until the set is rebuilt.
 */
export class SourceSet {
  readonly map: BpfMap;
  readonly lines: number;
  readonly seed: number;
  /** Prefixes added. */
  entries = 0;
  private readonly kinds: ReadonlySet<number>;
  private readonly words: Int32Array;
  private readonly line: Uint8Array;
  private readonly key = new Uint8Array(4);

  /**
   * Makes an empty set with room for twice `entries`.
   * @param kinds prefix lengths that it accepts
   * @param seed 32 secret bits, so that nobody can choose addresses that pass
   * @throws BpfError
   */
  constructor(entries: number, kinds: readonly Pick<PrefixGroup, 'family' | 'length'>[], seed: number) {
    const least = Math.max(LEAST_LINES, (entries * BITS_AT_FIRST) / (LINE_BYTES * 8));
    this.lines = 2 ** Math.ceil(Math.log2(least));
    this.seed = seed;
    this.kinds = new Set(kinds.map(kindOf));
    this.words = new Int32Array(this.lines * LINE_WORDS);
    this.line = new Uint8Array(this.words.buffer);
    const sizes = { keyBytes: 4, valueBytes: LINE_BYTES, maxEntries: this.lines };
    this.map = new BpfMap({ ...sizes, type: BpfMapType.ARRAY, name: 'shield_sources' });
  }

  /** Bytes of kernel memory. */
  get bytes(): number {
    return this.lines * LINE_BYTES;
  }

  /**
   * Adds a prefix. The filter finds it once this returns.
   * @returns false if the set is full or does not accept the length. @throws SystemCallError
   */
  add(prefix: Prefix): boolean {
    const { family, length, bytes } = prefix;
    const isFull = this.entries >= (this.bytes * 8) / BITS_AT_LAST;
    if (isFull || !this.kinds.has(kindOf(prefix))) return false;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const index = this.note(hashAt(saltOf(this.seed, family, length), view, 0, length));
    new DataView(this.key.buffer).setUint32(0, index, true);
    return this.map.set(this.key, this.line.subarray(index * LINE_BYTES, (index + 1) * LINE_BYTES));
  }

  /** Adds prefixes of a group from `first` on; the filter finds them after `upload`. @returns their number */
  noteFrom({ family, length, count, keys }: PrefixGroup, first: number): number {
    const keyWords = family === 4 ? 1 : length <= 64 ? 2 : 4;
    const end = Math.min(first + SLICE_ENTRIES, count);
    const slice = Uint8Array.from(keys.subarray(first * keyWords * 4, end * keyWords * 4));
    const salt = saltOf(this.seed, family, length);
    noteAll(this.words, this.lines - 1, new Int32Array(slice.buffer), keyWords, wordsOf(length), salt);
    this.entries += end - first;
    return end - first;
  }

  /** Uploads lines from `first` on. @returns their number. @throws SystemCallError */
  uploadFrom(first: number): number {
    const count = Math.min(BATCH_ENTRIES, this.lines - first);
    const keys = new Uint8Array(Uint32Array.from({ length: count }, (_, i) => first + i).buffer);
    this.map.setAll(keys, this.line.subarray(first * LINE_BYTES, (first + count) * LINE_BYTES), count);
    return count;
  }

  close(): void {
    this.map.close();
  }

  /** @returns the line that holds the bits of a prefix with this hash */
  private note(hash: number): number {
    const index = hash & (this.lines - 1);
    setBits(this.words, index * LINE_WORDS, mix(hash, SECOND_HASH));
    this.entries += 1;
    return index;
  }
}

/** @param keys `keyWords` words each, of which the first `words` hold the prefix */
function noteAll(
  bits: Int32Array,
  lineMask: number,
  keys: Int32Array,
  keyWords: number,
  words: number,
  salt: number,
): void {
  for (let key = 0; key < keys.length; key += keyWords) {
    let hash = salt;
    for (let word = 0; word < words; word++) hash = mix(hash, keys[key + word]!);
    setBits(bits, (hash & lineMask) * LINE_WORDS, mix(hash, SECOND_HASH));
  }
}

function setBits(bits: Int32Array, line: number, hash: number): void {
  for (let probe = 0; probe < PROBES; probe++) {
    const bit = hash >>> (probe * PROBE_BITS);
    bits[line + ((bit >>> 5) & (LINE_WORDS - 1))] |= 1 << (bit & 31);
  }
}

function kindOf({ family, length }: Pick<PrefixGroup, 'family' | 'length'>): number {
  return (family << 8) | length;
}
