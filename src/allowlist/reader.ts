import type { Source } from '../net/index.ts';
import { type AllowlistHandle, SUPERSEDED } from './handle.ts';
import { NarrowSlots } from './narrow-slots.ts';
import type { ProfileId } from './profile-id.ts';
import { WideSlots } from './wide-slots.ts';

const MAPPED_WORD = 0xffff;

/**
 * Looks sources up, in any thread. The longest listed prefix wins. Lookups allocate nothing; prefix lengths
 * other than IPv4 /32 and IPv6 /64 cost nothing while none is listed.
 */
export class AllowlistReader {
  private control!: Int32Array;
  private ipv4!: NarrowSlots;
  private ipv6!: WideSlots;
  private shorterIPv4: NarrowSlots[] = [];
  private longerIPv6: WideSlots[] = [];
  private shorterIPv6: WideSlots[] = [];

  constructor(handle: AllowlistHandle) {
    this.attach(handle);
  }

  /** Reads from `handle` from now on. */
  attach(handle: AllowlistHandle): void {
    const tables = handle.tables.toSorted((a, b) => b.length - a.length);
    const narrow = tables.filter(({ family }) => family === 4);
    const wide = tables.filter(({ family }) => family === 6);
    const makeNarrow = (table: (typeof tables)[number]): NarrowSlots => new NarrowSlots(table, handle.seed);
    const makeWide = (table: (typeof tables)[number]): WideSlots => new WideSlots(table, handle.seed);
    this.control = new Int32Array(handle.control);
    this.ipv4 = makeNarrow(narrow.find(({ length }) => length === 32)!);
    this.ipv6 = makeWide(wide.find(({ length }) => length === 64)!);
    this.shorterIPv4 = narrow.filter(({ length }) => length < 32).map(makeNarrow);
    this.longerIPv6 = wide.filter(({ length }) => length > 64).map(makeWide);
    this.shorterIPv6 = wide.filter(({ length }) => length < 64).map(makeWide);
  }

  /**
   * True once a newer handle was posted (see AllowlistTable.onReplaced). A thread that checks this before
   * each batch, and then takes the handle from its port, never answers from an outdated allowlist.
   */
  get isSuperseded(): boolean {
    return Atomics.load(this.control, SUPERSEDED) === 1;
  }

  /** The profile of a source; 0 if it is not registered. An IPv4-mapped address counts as IPv4. */
  lookup({ family, words }: Source): ProfileId {
    if (family === 4) return this.lookup4(words[0]);
    if (words[0] === 0 && words[1] === 0 && words[2] === MAPPED_WORD) return this.lookup4(words[3]);
    return this.lookup6(words[0], words[1], words[2], words[3]);
  }

  /**
   * Prefetches the slot of an IPv4 address; the result has no meaning. Prefetching many addresses before
   * their lookups makes the memory accesses overlap.
   */
  touch4(address: number): number {
    return this.ipv4.touch(address);
  }

  /** Prefetches the slot of an IPv6 address, given by its first two words. */
  touch6(w0: number, w1: number): number {
    return this.ipv6.touch(w0, w1, 0, 0);
  }

  private lookup4(address: number): ProfileId {
    const profile = this.ipv4.lookup(address);
    if (profile !== 0 || this.shorterIPv4.length === 0) return profile as ProfileId;
    return this.lookupShorter4(address);
  }

  private lookup6(w0: number, w1: number, w2: number, w3: number): ProfileId {
    if (this.longerIPv6.length !== 0) {
      const longer = firstProfile(this.longerIPv6, w0, w1, w2, w3);
      if (longer !== 0) return longer as ProfileId;
    }
    const profile = this.ipv6.lookup(w0, w1, w2, w3);
    if (profile !== 0 || this.shorterIPv6.length === 0) return profile as ProfileId;
    return firstProfile(this.shorterIPv6, w0, w1, w2, w3) as ProfileId;
  }

  private lookupShorter4(address: number): ProfileId {
    for (let index = 0; index < this.shorterIPv4.length; index++) {
      const profile = this.shorterIPv4[index].lookup(address);
      if (profile !== 0) return profile as ProfileId;
    }
    return 0 as ProfileId;
  }
}

function firstProfile(tables: readonly WideSlots[], w0: number, w1: number, w2: number, w3: number): number {
  for (let index = 0; index < tables.length; index++) {
    const profile = tables[index].lookup(w0, w1, w2, w3);
    if (profile !== 0) return profile;
  }
  return 0;
}
