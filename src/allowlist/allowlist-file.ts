import { createHash, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { decodeSnapshot, encodeSnapshot, readSnapshotPosition, type Snapshot } from '../feed/index.ts';
import { assertPrivate } from '../sys/index.ts';
import { AllowlistFileCorruptError, AllowlistFileVersionUnknownError } from './errors.ts';

/*
 * Format of the last known allowlist; numbers in network order:
 *
 *   magic "MSLAST" | format version u16 | made at u64, ms since 1970
 *   SHA-256 of these 16 bytes and of the snapshot's own checksum, its last 32 bytes
 *   a packed snapshot (feed/codec.ts)
 */
const MAGIC = Buffer.from('MSLAST', 'latin1');
export const ALLOWLIST_FILE_VERSION = 1;
const VERSION_OFFSET = MAGIC.length;
const MADE_AT_OFFSET = VERSION_OFFSET + 2;
const CHECKSUM_OFFSET = MADE_AT_OFFSET + 8;
const CHECKSUM_BYTES = 32;
const SNAPSHOT_OFFSET = CHECKSUM_OFFSET + CHECKSUM_BYTES;
/** Enough of the file to read epoch and seq. */
const HEAD_BYTES = 4_096;
const NAME = 'last-known-list';
/** Holds people's addresses and choices: readable by the service's user only. */
const MODE = 0o600;

/** An allowlist that can be served without its store. */
export interface LastKnownAllowlist {
  readonly snapshot: Snapshot;
  /** When it last matched the store; ms since 1970. */
  readonly madeAtMs: number;
}

/** The last known allowlist on disk: addresses and profiles, nothing else. A single process writes it. */
export class AllowlistFile {
  readonly path: string;
  private readonly temporary: string;

  /** @param directory must exist */
  constructor(directory: string) {
    this.path = join(directory, NAME);
    this.temporary = `${this.path}.new`;
  }

  /** Removes the rest of a write that a crash cut off. For the writing process only. */
  async clear(): Promise<void> {
    await rm(this.temporary, { force: true });
  }

  /**
   * Reads the allowlist; null if there is no file.
   *
   * @throws AllowlistFileCorruptError, AllowlistFileVersionUnknownError, SnapshotCorruptError,
   *   SnapshotVersionUnknownError; errors of the file system
   */
  async read(): Promise<LastKnownAllowlist | null> {
    const bytes = await readWhole(this.path);
    return bytes === null ? null : decodeAllowlistFile(bytes);
  }

  /**
   * Replaces the file atomically: afterwards the old or the new allowlist is on disk, whole, whatever
   * happens.
   *
   * @returns false if the file holds a newer allowlist of the same epoch, which then stays
   */
  async write(allowlist: LastKnownAllowlist): Promise<boolean> {
    if (await this.holdsNewer(allowlist.snapshot)) return false;
    await this.clear();
    const file = await open(this.temporary, 'wx', MODE);
    try {
      await file.writeFile(encodeAllowlistFile(allowlist));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(this.temporary, this.path);
    await syncDirectory(dirname(this.path));
    return true;
  }

  /** Reads the whole file: a damaged one must not keep its place by the seq in its header. */
  private async holdsNewer({ epoch, seq }: Snapshot): Promise<boolean> {
    try {
      const held = await this.position();
      if (held === null || held.epoch !== epoch || held.seq <= seq) return false;
      return (await this.read()) !== null;
    } catch {
      return false;
    }
  }

  private async position(): Promise<{ epoch: string; seq: number } | null> {
    const head = await readWhole(this.path, HEAD_BYTES);
    return head === null ? null : readSnapshotPosition(head.subarray(SNAPSHOT_OFFSET));
  }
}

export function encodeAllowlistFile({ snapshot, madeAtMs }: LastKnownAllowlist): Uint8Array {
  const packed = encodeSnapshot(snapshot);
  const head = Buffer.alloc(SNAPSHOT_OFFSET);
  MAGIC.copy(head);
  head.writeUInt16BE(ALLOWLIST_FILE_VERSION, VERSION_OFFSET);
  const time = Math.max(0, Math.round(madeAtMs));
  head.writeUIntBE(Math.floor(time / 2 ** 32), MADE_AT_OFFSET, 4);
  head.writeUIntBE(time % 2 ** 32, MADE_AT_OFFSET + 4, 4);
  head.set(checksumOf(head, packed), CHECKSUM_OFFSET);
  return Buffer.concat([head, packed]);
}

/**
 * @throws AllowlistFileCorruptError, AllowlistFileVersionUnknownError, SnapshotCorruptError,
 *   SnapshotVersionUnknownError
 */
export function decodeAllowlistFile(bytes: Uint8Array): LastKnownAllowlist {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (head.length < SNAPSHOT_OFFSET + CHECKSUM_BYTES) throw new AllowlistFileCorruptError('truncated');
  if (!head.subarray(0, MAGIC.length).equals(MAGIC))
    throw new AllowlistFileCorruptError('wrong magic number');
  const version = head.readUInt16BE(VERSION_OFFSET);
  if (version !== ALLOWLIST_FILE_VERSION)
    throw new AllowlistFileVersionUnknownError(version, ALLOWLIST_FILE_VERSION);
  const packed = head.subarray(SNAPSHOT_OFFSET);
  if (!timingSafeEqual(checksumOf(head, packed), head.subarray(CHECKSUM_OFFSET, SNAPSHOT_OFFSET))) {
    throw new AllowlistFileCorruptError('checksum mismatch');
  }
  const madeAtMs = head.readUInt32BE(MADE_AT_OFFSET) * 2 ** 32 + head.readUInt32BE(MADE_AT_OFFSET + 4);
  return { snapshot: decodeSnapshot(packed), madeAtMs };
}

function checksumOf(head: Uint8Array, packed: Uint8Array): Uint8Array {
  return createHash('sha256')
    .update(head.subarray(0, CHECKSUM_OFFSET))
    .update(packed.subarray(-CHECKSUM_BYTES))
    .digest();
}

/** Reads the file, or its first `most` bytes; null if there is none. */
async function readWhole(path: string, most = Number.POSITIVE_INFINITY): Promise<Buffer | null> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    assertPrivate(file.fd, path);
    const { size } = await file.stat();
    const bytes = Buffer.allocUnsafeSlow(Math.min(size, most));
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  } finally {
    await file.close();
  }
}

/** Makes a rename durable. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
