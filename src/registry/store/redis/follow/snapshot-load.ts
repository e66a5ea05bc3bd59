import type { Change } from '../../../../feed/index.ts';
import { Key, type Meta } from '../keys.ts';
import type { FeedLink } from './feed-link.ts';

const FIRST_CHUNK_BYTES = 64 * 1024;
const MAX_CHUNK_BYTES = 4 * 1024 * 1024;
/** Chunks grow while they arrive faster than this, and shrink when they take longer than `SLOW_MS`. */
const QUICK_MS = 250;
const SLOW_MS = 1_000;

/**
 * A snapshot on its way, in chunks: it survives lost connections and goes on where it stopped. The store keeps a replaced
 * snapshot for a while under another key.
 */
export class SnapshotLoad {
  readonly epoch: string;
  /** The snapshot's seq. */
  readonly seq: number;
  /** Changes after it that were read meanwhile: the log does not keep them as long as a slow load may take. */
  readonly changes: Change[] = [];
  private readonly now: () => number;
  private buffer: Buffer | null = null;
  private received = 0;
  private chunkBytes = FIRST_CHUNK_BYTES;

  constructor(meta: Meta, now: () => number) {
    this.epoch = meta.epoch;
    this.seq = meta.snapshotSeq;
    this.now = now;
  }

  /** Everything that was read; null until all of it is there. */
  get whole(): Buffer | null {
    return this.buffer !== null && this.received === this.buffer.length ? this.buffer : null;
  }

  get receivedBytes(): number {
    return this.received;
  }

  /** The next change that the load lacks. */
  get nextSeq(): number {
    return this.seq + this.changes.length + 1;
  }

  /** Returns the key that holds the snapshot; null once the store has it no longer. */
  keyAt(meta: Meta | null): string | null {
    if (meta?.epoch !== this.epoch) return null;
    if (meta.snapshotSeq === this.seq) return Key.SNAPSHOT;
    return meta.previousSnapshotSeq === this.seq ? Key.PREVIOUS_SNAPSHOT : null;
  }

  /**
   * Reads the next chunk. Metadata read after it tells whose bytes they are: another snapshot may have taken the key.
   *
   * @returns the metadata, and whether there was any progress
   * @throws errors of the link; the next read begins with small chunks again
   */
  async advance(link: FeedLink, key: string): Promise<{ meta: Meta | null; hasMoved: boolean }> {
    const startedMs = this.now();
    try {
      if (this.buffer === null) {
        const { bytes, meta } = await link.snapshotBytes(key);
        const isOurs = this.keyAt(meta) === key;
        if (isOurs) this.buffer = Buffer.allocUnsafe(bytes);
        return { meta, hasMoved: isOurs };
      }
      const { bytes, meta } = await link.snapshotChunk(key, this.received, this.chunkBytes);
      if (this.keyAt(meta) !== key || bytes.length === 0) return { meta, hasMoved: false };
      bytes.copy(this.buffer, this.received);
      this.received += bytes.length;
      const tookMs = this.now() - startedMs;
      if (tookMs < QUICK_MS) this.chunkBytes = Math.min(2 * this.chunkBytes, MAX_CHUNK_BYTES);
      else if (tookMs > SLOW_MS) this.chunkBytes = Math.max(this.chunkBytes / 2, FIRST_CHUNK_BYTES);
      return { meta, hasMoved: true };
    } catch (error) {
      this.chunkBytes = FIRST_CHUNK_BYTES;
      throw error;
    }
  }
}
