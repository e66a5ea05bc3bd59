import type { Prefix } from '../../../net/index.ts';
import { BATCH_ENTRIES, BpfMap, BpfMapType } from '../../../sys/bpf/index.ts';
import type { KindOfPrefix } from './program.ts';

/** Room for changes while the maps are in use; when it is used up they are made anew. */
const SPARE_ENTRIES = 16_384;
const SPARE_SHARE = 0.125;
const VALUE = new Uint8Array(1);

/** The prefixes of one family and length. */
export interface PrefixGroup {
  readonly family: 4 | 6;
  readonly length: number;
  readonly count: number;
  /** `count` keys in network order: IPv4 4 octets; IPv6 the upper 8 where they hold the prefix, else 16. */
  readonly keys: Uint8Array;
}

/**
 * The listed prefixes where a filter in the kernel finds them: a hash for each family and length, as AllowlistTable
 * has them.
 */
export class SourceMaps {
  /** Prefixes that are in the maps. */
  entries = 0;
  private readonly maps = new Map<number, BpfMap>();

  /**
   * Makes maps with room for the groups and for what may come while they are in use. They are empty.
   * @param groups one of each family and length at the most
   * @throws BpfError; no map stays open then.
   */
  constructor(groups: readonly Pick<PrefixGroup, 'family' | 'length' | 'count'>[]) {
    try {
      for (const { family, length, count } of groups) {
        this.maps.set(kindOf(family, length), openMap(family, length, count));
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The maps of a family. */
  kinds(family: 4 | 6): KindOfPrefix[] {
    return [...this.maps]
      .filter(([kind]) => kind >> 8 === family)
      .map(([kind, { fd }]) => ({ length: kind & 255, fd }));
  }

  /** @returns false where there is no room for the prefix, or no map of its length. @throws SystemCallError */
  add({ family, length, bytes }: Prefix): boolean {
    const map = this.maps.get(kindOf(family, length));
    if (map?.set(bytes.subarray(0, keyBytes(family, length)), VALUE) !== true) return false;
    this.entries += 1;
    return true;
  }

  /** @throws SystemCallError */
  remove({ family, length, bytes }: Prefix): void {
    const map = this.maps.get(kindOf(family, length));
    if (map?.delete(bytes.subarray(0, keyBytes(family, length)))) this.entries -= 1;
  }

  /**
   * Adds prefixes of a group from `first` on, as many as one system call takes.
   * @returns how many were added; -1 where there is no room for them. @throws SystemCallError
   */
  addFrom({ family, length, count, keys }: PrefixGroup, first: number): number {
    const width = keyBytes(family, length);
    const end = Math.min(first + BATCH_ENTRIES, count);
    const map = this.maps.get(kindOf(family, length))!;
    if (!map.addAll(keys.subarray(first * width, end * width), end - first)) return -1;
    this.entries += end - first;
    return end - first;
  }

  close(): void {
    for (const map of this.maps.values()) map.close();
  }
}

/** Memory for all entries is taken at once: it is less then, and building takes two thirds of the time. */
function openMap(family: 4 | 6, length: number, entries: number): BpfMap {
  return new BpfMap({
    type: BpfMapType.HASH,
    name: `shield_v${family}_${length}`,
    keyBytes: keyBytes(family, length),
    valueBytes: VALUE.length,
    maxEntries: entries + SPARE_ENTRIES + Math.ceil(entries * SPARE_SHARE),
  });
}

function kindOf(family: 4 | 6, length: number): number {
  return (family << 8) | length;
}

function keyBytes(family: 4 | 6, length: number): 4 | 8 | 16 {
  if (family === 4) return 4;
  return length <= 64 ? 8 : 16;
}
