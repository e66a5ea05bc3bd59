import type { Change, Profile } from './change.ts';

/** The version of the packed form. Readers refuse the ones they do not know. */
export const SNAPSHOT_VERSION = 1;

/** Prefix lengths that a list may hold, by family. */
export const IPV4_LENGTHS = { least: 8, most: 32 } as const;
export const IPV6_LENGTHS = { least: 16, most: 128 } as const;

/** The entries of one family and prefix length, in no order, each prefix once. */
export interface SnapshotGroup {
  readonly family: 4 | 6;
  /** Bits of the prefix. */
  readonly length: number;
  readonly count: number;
  /** `count` keys of `snapshotKeyBytes(family, length)` bytes, in network order, zero past the prefix. */
  readonly keys: Uint8Array;
  /** For each key the index of its profile in the snapshot's `profiles`. */
  readonly profiles: Uint16Array;
}

/** The whole list as it stood after change `seq` of `epoch`. One without entries is a list, too. */
export interface Snapshot {
  readonly version: 1;
  /** A random id that was made with the store. */
  readonly epoch: string;
  readonly seq: number;
  readonly profiles: readonly Profile[];
  readonly groups: readonly SnapshotGroup[];
}

/** A snapshot as a feed gives it, with what has to be done to it before anyone sees the list. */
export interface FeedSnapshot extends Snapshot {
  /** The changes that followed it, from `seq` + 1 on without a gap. */
  readonly changes?: readonly Change[];
}

/** Hears changes in their order, in batches; `epoch` where the source knows that of the log they are from. */
export type FeedListener = (changes: readonly Change[], epoch?: string) => void;

/** What a source has to say besides changes. */
export interface FeedSignals {
  /** The log cannot be followed from what was heard last: only another snapshot helps. */
  lost(reason: LostReason): void;
  /** What the digest (digest.ts) of the list is after a change; told before or after that change is. */
  digest(at: DigestAt): void;
}

/** Changes are missing; the store's data is of another epoch, and the operator said that it is the truth. */
export type LostReason = 'gap' | 'epoch';

export interface DigestAt {
  readonly epoch: string;
  readonly seq: number;
  readonly digest: string;
}

/** A source of the list: whole, and then change by change. */
export interface Feed {
  /** Rejects if there is none now; a source that knows when there will be one waits for it instead. */
  snapshot(): Promise<FeedSnapshot>;
  /** @returns what ends the subscription. */
  subscribe(listener: FeedListener, signals?: FeedSignals): () => void;
}

/** Bytes of a key in a group: IPv4 4; IPv6 the upper 8 where they hold the prefix, else 16. */
export function snapshotKeyBytes(family: 4 | 6, length: number): 4 | 8 | 16 {
  if (family === 4) return 4;
  return length <= 64 ? 8 : 16;
}

export function isListableLength(family: 4 | 6, length: number): boolean {
  const bounds = family === 4 ? IPV4_LENGTHS : IPV6_LENGTHS;
  return Number.isInteger(length) && length >= bounds.least && length <= bounds.most;
}
