import { setImmediate as nextTurn } from 'node:timers/promises';
import { formatPrefix, type Prefix } from '../../../net/index.ts';
import { attachFilter, BpfMap, BpfMapType, detachFilter, loadSocketFilter } from '../../../sys/bpf/index.ts';
import { closeSocket } from '../../../sys/index.ts';
import { COUNTS_BYTES, DROPPED_OFFSET, SAMPLED_OFFSET, shieldProgram } from './program.ts';
import { type PrefixGroup, SourceMaps } from './source-maps.ts';

const FAMILIES = [4, 6] as const;
const MOST_LOTS = 0xffffffff;
const ONE_ENTRY = new Uint8Array(4);

/** A socket whose packets are filtered. */
export interface ShieldSocket {
  readonly family: 4 | 6;
  readonly fd: number;
}

/** One use of the filter: its maps, its programs, and the sockets that it is on. */
export class Engagement {
  private readonly maps: SourceMaps;
  private readonly control: BpfMap;
  private readonly counts: BpfMap;
  private readonly programs = new Map<4 | 6, number>();
  private readonly groups: readonly PrefixGroup[];
  private readonly exempt: readonly Prefix[];
  private readonly isExempt: ReadonlySet<string>;
  /** While the maps are filled: what has left the list since the groups were taken from it. */
  private removed: Map<string, Prefix> | null = new Map();
  private sockets: readonly ShieldSocket[] = [];
  private isClosed = false;

  /**
   * Makes maps and programs, which are on no socket yet.
   * @param groups the list as it stands; each further change must be told by `add` and `remove`
   * @param exempt prefixes that pass though they are not on the list
   * @throws BpfError; nothing stays open then.
   */
  constructor(groups: readonly PrefixGroup[], exempt: readonly Prefix[]) {
    this.groups = groups;
    this.exempt = exempt;
    this.isExempt = new Set(exempt.map(formatPrefix));
    const opened: { close(): void }[] = [];
    const open = <T extends { close(): void }>(resource: T): T => {
      opened.push(resource);
      return resource;
    };
    try {
      this.maps = open(new SourceMaps(withExempt(groups, exempt)));
      const one = { keyBytes: 4, maxEntries: 1 };
      this.control = open(
        new BpfMap({ ...one, type: BpfMapType.ARRAY, name: 'shield_control', valueBytes: 4 }),
      );
      this.counts = open(
        new BpfMap({
          ...one,
          type: BpfMapType.PER_CPU_ARRAY,
          name: 'shield_counts',
          valueBytes: COUNTS_BYTES,
        }),
      );
      for (const family of FAMILIES) {
        const code = shieldProgram(family, this.maps.kinds(family), this.control.fd, this.counts.fd);
        const fd = loadSocketFilter(`shield_v${family}`, code);
        open({ close: () => closeSocket(fd) });
        this.programs.set(family, fd);
      }
    } catch (error) {
      for (const resource of opened) resource.close();
      throw error;
    }
  }

  get entries(): number {
    return this.maps.entries;
  }

  /** Packets that the filter kept away. */
  get dropped(): number {
    return this.counts.sum(0, DROPPED_OFFSET);
  }

  /** Packets of sources that are not listed, that passed as a sample. */
  get sampled(): number {
    return this.counts.sum(0, SAMPLED_OFFSET);
  }

  /**
   * Puts the list into the maps, in slices between which the event loop has its turns.
   * @returns false where there is no room for it, or it was closed meanwhile.
   * @throws SystemCallError
   */
  async fill(): Promise<boolean> {
    for (const group of this.groups) {
      for (let first = 0; first < group.count; ) {
        const added = this.maps.addFrom(group, first);
        if (added < 0) return false;
        first += added;
        await nextTurn();
        if (this.isClosed) return false;
      }
    }
    for (const prefix of this.removed?.values() ?? []) this.maps.remove(prefix);
    this.removed = null;
    return this.exempt.every((prefix) => this.maps.add(prefix));
  }

  /** Puts the filter on sockets. @throws SystemCallError; some may have it then. */
  attach(sockets: readonly ShieldSocket[]): void {
    this.sockets = sockets;
    for (const { family, fd } of sockets) attachFilter(fd, this.programs.get(family)!);
  }

  /** A prefix is going to be listed. @returns false where there is no room for it. @throws SystemCallError */
  add(prefix: Prefix): boolean {
    this.removed?.delete(formatPrefix(prefix));
    return this.maps.add(prefix);
  }

  /** A prefix is listed no more. @throws SystemCallError */
  remove(prefix: Prefix): void {
    const text = formatPrefix(prefix);
    if (this.isExempt.has(text)) return;
    this.removed?.set(text, prefix);
    this.maps.remove(prefix);
  }

  /** @param share of the packets of unlisted sources that pass, 0 to 1 */
  passSample(share: number): void {
    const word = new Uint8Array(4);
    new DataView(word.buffer).setUint32(0, Math.floor(share * MOST_LOTS), true);
    this.control.set(ONE_ENTRY, word);
  }

  /** Takes the filter off and lets maps and programs go. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const { fd } of this.sockets) detachFilter(fd);
    for (const fd of this.programs.values()) closeSocket(fd);
    this.maps.close();
    this.control.close();
    this.counts.close();
  }
}

/** How many entries each family and length needs room for. */
function withExempt(
  groups: readonly PrefixGroup[],
  exempt: readonly Prefix[],
): Pick<PrefixGroup, 'family' | 'length' | 'count'>[] {
  const sizes = new Map<string, { family: 4 | 6; length: number; count: number }>();
  for (const { family, length, count } of [...groups, ...exempt.map((prefix) => ({ ...prefix, count: 1 }))]) {
    const kind = `${family}/${length}`;
    const known = sizes.get(kind) ?? { family, length, count: 0 };
    sizes.set(kind, { ...known, count: known.count + count });
  }
  return [...sizes.values()];
}
