import type { Change, Profile } from './change.ts';

/** Version of the packed form. Readers reject versions that they do not know. */
export const SNAPSHOT_VERSION = 1;

/** Prefix lengths that the allowlist may hold, by family. */
export const IPV4_LENGTHS = { least: 8, most: 32 } as const;
export const IPV6_LENGTHS = { least: 16, most: 128 } as const;

/** The entries of one family and prefix length, unordered, each prefix once. */
export interface SnapshotGroup {
  readonly family: 4 | 6;
  /** Bits of the prefix. */
  readonly length: number;
  readonly count: number;
  /** `count` keys of `snapshotKeyBytes(family, length)` bytes, in network order, zero past the prefix. */
  readonly keys: Uint8Array;
  /** The index of each key's profile in the snapshot's `profiles`. */
  readonly profiles: Uint16Array;
}

/** The whole allowlist after change `seq` of `epoch`; it may be empty. */
export interface Snapshot {
  readonly version: 1;
  /** Names one life of the store's data. */
  readonly epoch: string;
  readonly seq: number;
  readonly profiles: readonly Profile[];
  readonly groups: readonly SnapshotGroup[];
}

/** A snapshot from a feed, with changes to apply before it is used. */
export interface FeedSnapshot extends Snapshot {
  /** True if the store lacks changes that were delivered, and was right to lose them. */
  readonly isRollback?: boolean;
  /** From `seq` + 1 on, without a gap. */
  readonly changes?: readonly Change[];
}

/** Receives changes in order, in batches. `epoch` is that of their log, where the source knows it. */
export type FeedListener = (changes: readonly Change[], epoch?: string) => void;

/** Signals of a feed besides changes. */
export interface FeedSignals {
  /** The log cannot be followed any further: load a snapshot. */
  lost(reason: LostReason): void;
  /** The digest of the allowlist after a change; may come before or after that change. */
  digest(at: DigestAt): void;
}

/**
 * gap: changes are missing. epoch: another epoch began by `registry adopt`. rollback: after a failover, the store lacks
 * changes that no replica had confirmed.
 */
export type LostReason = 'gap' | 'epoch' | 'rollback';

export interface DigestAt {
  readonly epoch: string;
  readonly seq: number;
  readonly digest: string;
}

/** A source of the allowlist: whole, and then change by change. */
export interface Feed {
  /** Loads the allowlist. Rejects if there is none, or waits if the source knows when there will be one. */
  snapshot(): Promise<FeedSnapshot>;
  /** Returns the function that ends the subscription. */
  subscribe(listener: FeedListener, signals?: FeedSignals): () => void;
}

/** Bytes of a key in a group: IPv4 4; IPv6 the upper 8 if they hold the whole prefix, else 16. */
export function snapshotKeyBytes(family: 4 | 6, length: number): 4 | 8 | 16 {
  if (family === 4) return 4;
  return length <= 64 ? 8 : 16;
}

export function isListableLength(family: 4 | 6, length: number): boolean {
  const bounds = family === 4 ? IPV4_LENGTHS : IPV6_LENGTHS;
  return Number.isInteger(length) && length >= bounds.least && length <= bounds.most;
}
