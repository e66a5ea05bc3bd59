import type { Source } from '../../net/index.ts';

/** Limits of RFC 7766 6.2.2 and 6.2.3, against clients that only hold connections. */
export interface StreamLimits {
  /** Open connections in all. */
  connections: number;
  /** Open connections of one registered source: an IPv4 address or IPv6 /64. */
  connectionsPerSource: number;
  /** Open connections of all unregistered sources together. */
  strangerConnections: number;
  /** A connection without a query for this long is closed. */
  idleSeconds: number;
  /** A connection is closed after this many queries. */
  queriesPerConnection: number;
}

export const Claim = {
  GRANTED: 0,
  /** Granted above the total, because strangers hold connections: one of them must give way. */
  CROWDED: 1,
  /** The source, or a stranger's prefix, has its share. */
  SOURCE_FULL: 2,
  /** The strangers' pool is full. */
  STRANGERS_FULL: 3,
  /** Registered sources hold all connections. */
  TOTAL_FULL: 4,
} as const;
export type Claim = (typeof Claim)[keyof typeof Claim];

/** Sources are counted by hash. Those that share a cell share a limit; the seed is secret, so nobody can choose with whom. */
const SOURCE_CELLS = 32_768;
const PREFIX_CELLS = 8192;
const REGISTERED = SOURCE_CELLS + PREFIX_CELLS;
const STRANGERS = REGISTERED + 1;
const IPV6_SECOND_WORD_OF_56 = 0xffffff00;
/** Part of the strangers' pool that one prefix may hold, and the least. */
const PREFIX_SHARE = 1 / 16;
const LEAST_PREFIX_SHARE = 4;

/** Counts the open connections of one transport, across threads, in shared memory. */
export class ConnectionBudget {
  private readonly counts: Int32Array;
  private readonly limits: StreamLimits;
  private readonly seed: number;
  private readonly strangersPerPrefix: number;

  constructor(memory: SharedArrayBuffer, limits: StreamLimits, seed: number) {
    this.counts = new Int32Array(memory);
    this.limits = limits;
    this.seed = seed;
    const share = Math.floor(limits.strangerConnections * PREFIX_SHARE);
    this.strangersPerPrefix = Math.max(share, LEAST_PREFIX_SHARE);
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer((STRANGERS + 1) * Int32Array.BYTES_PER_ELEMENT);
  }

  /** True while strangers must give way: more connections are open than `limits.connections`. */
  get isCrowded(): boolean {
    const { counts, limits } = this;
    return Atomics.load(counts, REGISTERED) + Atomics.load(counts, STRANGERS) > limits.connections;
  }

  /** Counts a connection if the result is GRANTED or CROWDED; the caller releases it later. */
  claim(source: Source, isStranger: boolean): Claim {
    return isStranger ? this.claimStranger(source) : this.claimRegistered(source);
  }

  release(source: Source, isStranger: boolean): void {
    Atomics.sub(this.counts, isStranger ? STRANGERS : REGISTERED, 1);
    Atomics.sub(this.counts, this.cellOf(source, isStranger), 1);
  }

  /** Connections of the source, or of the stranger's prefix. */
  countOf(source: Source, isStranger: boolean): number {
    return Atomics.load(this.counts, this.cellOf(source, isStranger));
  }

  /** The cell that counts a source: two connections with one cell share a limit. */
  cellOf({ family, words }: Source, isStranger: boolean): number {
    if (!isStranger) {
      const second = family === 4 ? 0x34 : words[1];
      return hash(words[0] ^ this.seed, second) & (SOURCE_CELLS - 1);
    }
    const first = family === 4 ? words[0] & 0xffffff00 : words[0];
    const second = family === 4 ? 0x34 : words[1] & IPV6_SECOND_WORD_OF_56;
    return SOURCE_CELLS + (hash(first ^ this.seed, second) & (PREFIX_CELLS - 1));
  }

  private claimRegistered(source: Source): Claim {
    const { counts, limits } = this;
    const registered = Atomics.add(counts, REGISTERED, 1);
    const ofSource = Atomics.add(counts, this.cellOf(source, false), 1);
    if (ofSource >= limits.connectionsPerSource) return this.undo(source, false, Claim.SOURCE_FULL);
    if (registered >= limits.connections) return this.undo(source, false, Claim.TOTAL_FULL);
    return this.isCrowded ? Claim.CROWDED : Claim.GRANTED;
  }

  private claimStranger(source: Source): Claim {
    const { counts, limits } = this;
    const strangers = Atomics.add(counts, STRANGERS, 1);
    const ofPrefix = Atomics.add(counts, this.cellOf(source, true), 1);
    if (ofPrefix >= this.strangersPerPrefix) return this.undo(source, true, Claim.SOURCE_FULL);
    if (strangers >= limits.strangerConnections || this.isCrowded) {
      return this.undo(source, true, Claim.STRANGERS_FULL);
    }
    return Claim.GRANTED;
  }

  private undo(source: Source, isStranger: boolean, claim: Claim): Claim {
    this.release(source, isStranger);
    return claim;
  }
}

function hash(first: number, second: number): number {
  let h = Math.imul(first, 0x85ebca6b) ^ second;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  return h ^ (h >>> 15);
}
