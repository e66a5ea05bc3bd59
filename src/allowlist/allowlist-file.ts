import { createHash, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { decodeSnapshot, encodeSnapshot, readSnapshotPosition, type Snapshot } from '../feed/index.ts';
import { AllowlistFileCorruptError, AllowlistFileVersionUnknownError } from './errors.ts';

/*
 * The last known list; numbers in network order:
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
/** Enough of the beginning to tell epoch and seq. */
const HEAD_BYTES = 4_096;
const NAME = 'last-known-list';
/** Addresses and choices of people: nobody else on the machine reads them. */
const MODE = 0o600;

/** A list that can be served without its store. */
export interface LastKnownAllowlist {
  readonly snapshot: Snapshot;
  /** When it was last known to be the store's; milliseconds since 1970. */
  readonly madeAtMs: number;
}

/** The last known list on disk: addresses and profiles, nothing else. One process writes it. */
export class AllowlistFile {
  readonly path: string;
  private readonly temporary: string;

  /** @param directory must exist */
  constructor(directory: string) {
    this.path = join(directory, NAME);
    this.temporary = `${this.path}.new`;
  }

  /** Removes what a crash left of an unfinished write. Not for others than who writes. */
  async clear(): Promise<void> {
    await rm(this.temporary, { force: true });
  }

  /**
   * The list, or null where there is no file.
   *
   * @throws ListFileCorrupt, ListFileVersionUnknown, SnapshotCorrupt, SnapshotVersionUnknown; errors of the file system.
   */
  async read(): Promise<LastKnownAllowlist | null> {
    const bytes = await readWhole(this.path);
    return bytes === null ? null : decodeAllowlistFile(bytes);
  }

  /**
   * Replaces the file in one step: what is there afterwards, whatever happens, is the old list or the new one, whole
   * and on disk.
   *
   * @returns false where a newer list of the same epoch is there already, which then stays.
   */
  async write(list: LastKnownAllowlist): Promise<boolean> {
    if (await this.holdsNewer(list.snapshot)) return false;
    await this.clear();
    const file = await open(this.temporary, 'wx', MODE);
    try {
      await file.writeFile(encodeAllowlistFile(list));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(this.temporary, this.path);
    await syncDirectory(dirname(this.path));
    return true;
  }

  /** Only a sound file counts: a damaged one must not keep itself in place by what its header says. */
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

/** @throws ListFileCorrupt, ListFileVersionUnknown, SnapshotCorrupt, SnapshotVersionUnknown. */
export function decodeAllowlistFile(bytes: Uint8Array): LastKnownAllowlist {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (head.length < SNAPSHOT_OFFSET + CHECKSUM_BYTES)
    throw new AllowlistFileCorruptError('it ends too early');
  if (!head.subarray(0, MAGIC.length).equals(MAGIC))
    throw new AllowlistFileCorruptError('it does not begin as one');
  const version = head.readUInt16BE(VERSION_OFFSET);
  if (version !== ALLOWLIST_FILE_VERSION)
    throw new AllowlistFileVersionUnknownError(version, ALLOWLIST_FILE_VERSION);
  const packed = head.subarray(SNAPSHOT_OFFSET);
  if (!timingSafeEqual(checksumOf(head, packed), head.subarray(CHECKSUM_OFFSET, SNAPSHOT_OFFSET))) {
    throw new AllowlistFileCorruptError('its checksum differs');
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

/** The file's bytes, or its first ones; null where there is none. */
async function readWhole(path: string, most = Number.POSITIVE_INFINITY): Promise<Buffer | null> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
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

/** A rename is on disk when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
