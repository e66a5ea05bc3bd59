import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Prefix } from '../../../net/index.ts';
import {
  attachFilter,
  BpfError,
  BpfMap,
  BpfMapType,
  detachFilter,
  loadSocketFilter,
} from '../../../sys/bpf/index.ts';
import { closeSocket } from '../../../sys/index.ts';
import { COUNTS_BYTES, DROPPED_OFFSET, SAMPLED_OFFSET, shieldProgram } from './program.ts';
import { type PrefixGroup, SourceSet } from './source-set.ts';

const FAMILIES = [4, 6] as const;
/** Kinds of prefixes that homes register; the filter looks for them even before there is one. */
const COMMON_KINDS = [
  { family: 4, length: 32 },
  { family: 6, length: 64 },
] as const;
/** Work between two turns of the event loop. */
const TURN_MS = 5;
const MOST_LOTS = 0xffffffff;
const FIRST = new Uint8Array(4);

/** A socket whose packets are filtered. */
export interface ShieldSocket {
  readonly family: 4 | 6;
  readonly fd: number;
}

/** One use of the filter: maps, programs, and the sockets that it is attached to. */
export class Engagement {
  private readonly sources: SourceSet;
  private readonly control: BpfMap;
  private readonly counts: BpfMap;
  private readonly programs = new Map<4 | 6, number>();
  private readonly groups: readonly PrefixGroup[];
  private readonly exempt: readonly Prefix[];
  private readonly opened: { close(): void }[] = [];
  private sockets: readonly ShieldSocket[] = [];
  private isClosed = false;

  /**
   * Makes maps and programs, attached to no socket yet.
   * @param groups the allowlist now; report later additions by `add`
   * @param exempt prefixes that pass without being registered
   * @param seed 32 secret bits
   * @throws BpfError, leaving nothing open
   */
  constructor(groups: readonly PrefixGroup[], exempt: readonly Prefix[], seed: number) {
    this.groups = groups;
    this.exempt = exempt;
    const kinds = [...COMMON_KINDS, ...groups, ...exempt];
    const entries = groups.reduce((sum, { count }) => sum + count, exempt.length);
    const one = { keyBytes: 4, maxEntries: 1 };
    try {
      this.sources = this.keep(new SourceSet(entries, kinds, seed));
      const counts = { ...one, type: BpfMapType.PER_CPU_ARRAY, name: 'shield_counts' };
      this.control = this.keep(
        new BpfMap({ ...one, type: BpfMapType.ARRAY, name: 'shield_control', valueBytes: 4 }),
      );
      this.counts = this.keep(new BpfMap({ ...counts, valueBytes: COUNTS_BYTES }));
      for (const family of FAMILIES) {
        const lengths = new Set(kinds.filter((kind) => kind.family === family).map(({ length }) => length));
        const code = shieldProgram(family, [...lengths], this.sources, this.control.fd, this.counts.fd);
        const fd = loadSocketFilter(`shield_v${family}`, code);
        this.keep({ close: () => closeSocket(fd) });
        this.programs.set(family, fd);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Prefixes in the filter's set. */
  get entries(): number {
    return this.sources.entries;
  }

  /** Packets that the filter has dropped. */
  get dropped(): number {
    return this.counts.sum(0, DROPPED_OFFSET);
  }

  /** Packets of unregistered sources that passed as a sample. */
  get sampled(): number {
    return this.counts.sum(0, SAMPLED_OFFSET);
  }

  /**
   * Fills the set with the allowlist. Yields to the event loop, but seldom: while a thread is flooded on the same
   * processor, each turn costs more than the remaining work.
   * @param now monotonic, ms
   * @throws SystemCallError, BpfError
   */
  async fill(now: () => number): Promise<void> {
    let turnMs = now();
    for (const step of this.steps()) {
      step();
      if (now() - turnMs < TURN_MS) continue;
      await nextTurn();
      if (this.isClosed) return;
      turnMs = now();
    }
    if (this.exempt.every((prefix) => this.sources.add(prefix))) return;
    throw new BpfError('filling the set of sources', 'ENOMEM', 'the kernel has no room for it');
  }

  /** Attaches the filter to sockets. @throws SystemCallError; some sockets may have it then */
  attach(sockets: readonly ShieldSocket[]): void {
    this.sockets = sockets;
    for (const { family, fd } of sockets) attachFilter(fd, this.programs.get(family)!);
  }

  /** Adds a prefix before it is registered. @returns false if the set is full. @throws SystemCallError */
  add(prefix: Prefix): boolean {
    return this.sources.add(prefix);
  }

  /** @param share of the packets of unregistered sources to pass, 0 to 1 */
  passSample(share: number): void {
    const word = new Uint8Array(4);
    new DataView(word.buffer).setUint32(0, Math.floor(share * MOST_LOTS), true);
    this.control.set(FIRST, word);
  }

  /** Detaches the filter and frees maps and programs. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const { fd } of this.sockets) detachFilter(fd);
    for (const resource of this.opened) resource.close();
  }

  private *steps(): Generator<() => void> {
    for (const group of this.groups) {
      for (let first = 0; first < group.count; ) {
        yield () => {
          first += this.sources.noteFrom(group, first);
        };
      }
    }
    for (let first = 0; first < this.sources.lines; ) {
      yield () => {
        first += this.sources.uploadFrom(first);
      };
    }
  }

  private keep<T extends { close(): void }>(resource: T): T {
    this.opened.push(resource);
    return resource;
  }
}
