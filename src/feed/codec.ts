import { createHash, timingSafeEqual } from 'node:crypto';
import { endianness } from 'node:os';
import type { Profile } from './change.ts';
import { SnapshotCorruptError, SnapshotVersionUnknownError } from './errors.ts';
import {
  isListableLength,
  SNAPSHOT_VERSION,
  type Snapshot,
  type SnapshotGroup,
  snapshotKeyBytes,
} from './snapshot.ts';

/*
 * A packed snapshot; numbers in network order:
 *
 *   magic "MSLIST" | format version u16 | bytes in all u64 | seq u64
 *   epoch: length u16, UTF-8
 *   profiles: bytes u32, a JSON array
 *   groups: count u16; each: family u8, prefix length u8, entries u32, keys, profile indexes u16 each
 *   SHA-256 of all that stands before
 */
const MAGIC = Buffer.from('MSLIST', 'latin1');
const VERSION_OFFSET = MAGIC.length;
const TOTAL_OFFSET = VERSION_OFFSET + 2;
const SEQ_OFFSET = TOTAL_OFFSET + 8;
const HEADER_BYTES = SEQ_OFFSET + 8;
const GROUP_HEADER_BYTES = 6;
const CHECKSUM_BYTES = 32;
const MAX_EPOCH_BYTES = 256;
const IS_LITTLE_ENDIAN = endianness() === 'LE';

/**
 * Packs a snapshot into bytes for a disk or a wire.
 *
 * @throws RangeError if the snapshot contradicts itself: a bug
 */
export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  const epoch = Buffer.from(snapshot.epoch, 'utf8');
  if (epoch.length === 0 || epoch.length > MAX_EPOCH_BYTES)
    throw new RangeError('An epoch has 1 to 256 bytes');
  const profiles = Buffer.from(JSON.stringify(snapshot.profiles.map(plainProfile)), 'utf8');
  for (const group of snapshot.groups) checkGroup(group, snapshot.profiles.length);
  const groupsBytes = snapshot.groups.reduce((sum, group) => sum + groupBytes(group), 0);
  const bytes = Buffer.alloc(
    HEADER_BYTES + 2 + epoch.length + 4 + profiles.length + 2 + groupsBytes + CHECKSUM_BYTES,
  );
  MAGIC.copy(bytes);
  bytes.writeUInt16BE(SNAPSHOT_VERSION, VERSION_OFFSET);
  writeLong(bytes, TOTAL_OFFSET, bytes.length);
  writeLong(bytes, SEQ_OFFSET, snapshot.seq);
  let offset = bytes.writeUInt16BE(epoch.length, HEADER_BYTES);
  offset += epoch.copy(bytes, offset);
  offset = bytes.writeUInt32BE(profiles.length, offset);
  offset += profiles.copy(bytes, offset);
  offset = bytes.writeUInt16BE(snapshot.groups.length, offset);
  for (const group of snapshot.groups) offset = writeGroup(bytes, offset, group);
  bytes.set(checksumOf(bytes.subarray(0, offset)), offset);
  return bytes;
}

/**
 * Reads a packed snapshot. Its keys are views of `bytes`, which must not change while the snapshot is in use.
 *
 * @throws SnapshotVersionUnknownError, SnapshotCorruptError
 */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  const reader = new Reader(bytes);
  const { total, seq, epoch } = readHead(reader);
  if (total !== bytes.length) {
    throw new SnapshotCorruptError(`it has ${bytes.length} bytes where its header says ${total}`);
  }
  verifyChecksum(bytes);
  const profiles = parseProfiles(reader.bytes(reader.number(4)).toString('utf8'));
  const groupCount = reader.number(2);
  const groups: SnapshotGroup[] = [];
  for (let index = 0; index < groupCount; index++) groups.push(readGroup(reader, profiles.length));
  if (reader.offset !== bytes.length - CHECKSUM_BYTES)
    throw new SnapshotCorruptError('bytes follow its last group');
  const kinds = new Set(groups.map((group) => group.family * 256 + group.length));
  if (kinds.size !== groups.length) throw new SnapshotCorruptError('two groups have one family and length');
  return { version: SNAPSHOT_VERSION, epoch, seq, profiles, groups };
}

/**
 * Reads the position of a packed snapshot from its first bytes, without verifying the rest.
 *
 * @throws SnapshotVersionUnknownError, SnapshotCorruptError
 */
export function readSnapshotPosition(bytes: Uint8Array): { epoch: string; seq: number } {
  const reader = new Reader(bytes);
  const { seq, epoch } = readHead(reader);
  return { epoch, seq };
}

class Reader {
  offset = 0;
  private readonly buffer: Buffer;

  constructor(bytes: Uint8Array) {
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  bytes(count: number): Buffer {
    if (count > this.buffer.length - this.offset) throw new SnapshotCorruptError('it ends too early');
    this.offset += count;
    return this.buffer.subarray(this.offset - count, this.offset);
  }

  number(width: 1 | 2 | 4): number {
    return this.bytes(width).readUIntBE(0, width);
  }

  long(): number {
    const value = this.number(4) * 2 ** 32 + this.number(4);
    if (!Number.isSafeInteger(value)) throw new SnapshotCorruptError('a number in it is too large');
    return value;
  }
}

function readHead(reader: Reader): { total: number; seq: number; epoch: string } {
  if (!reader.bytes(MAGIC.length).equals(MAGIC)) throw new SnapshotCorruptError('it does not begin as one');
  const version = reader.number(2);
  if (version !== SNAPSHOT_VERSION) throw new SnapshotVersionUnknownError(version, SNAPSHOT_VERSION);
  const total = reader.long();
  const seq = reader.long();
  const epochBytes = reader.number(2);
  if (epochBytes === 0 || epochBytes > MAX_EPOCH_BYTES)
    throw new SnapshotCorruptError('its epoch has no proper length');
  return { total, seq, epoch: reader.bytes(epochBytes).toString('utf8') };
}

function writeLong(bytes: Buffer, offset: number, value: number): void {
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), offset);
  bytes.writeUInt32BE(value % 2 ** 32, offset + 4);
}

function groupBytes(group: SnapshotGroup): number {
  return GROUP_HEADER_BYTES + group.keys.length + 2 * group.count;
}

function writeGroup(bytes: Buffer, start: number, group: SnapshotGroup): number {
  let offset = bytes.writeUInt8(group.family, start);
  offset = bytes.writeUInt8(group.length, offset);
  offset = bytes.writeUInt32BE(group.count, offset);
  bytes.set(group.keys, offset);
  offset += group.keys.length;
  const { buffer, byteOffset, byteLength } = group.profiles;
  bytes.set(new Uint8Array(buffer, byteOffset, byteLength), offset);
  const end = offset + byteLength;
  if (IS_LITTLE_ENDIAN) bytes.subarray(offset, end).swap16();
  return end;
}

function readGroup(reader: Reader, profileCount: number): SnapshotGroup {
  const family = reader.number(1);
  const length = reader.number(1);
  if ((family !== 4 && family !== 6) || !isListableLength(family, length)) {
    throw new SnapshotCorruptError('a group has no known family and prefix length');
  }
  const count = reader.number(4);
  const keys = reader.bytes(count * snapshotKeyBytes(family, length));
  const packed = reader.bytes(2 * count);
  const profiles = new Uint16Array(count);
  const copy = Buffer.from(profiles.buffer);
  packed.copy(copy);
  if (IS_LITTLE_ENDIAN) copy.swap16();
  if (!profilesExist(profiles, profileCount))
    throw new SnapshotCorruptError('an entry has a profile that is not there');
  return { family, length, count, keys, profiles };
}

function checkGroup(group: SnapshotGroup, profileCount: number): void {
  const { family, length, count, keys, profiles } = group;
  const isSound =
    isListableLength(family, length) &&
    keys.length === count * snapshotKeyBytes(family, length) &&
    profiles.length === count &&
    profilesExist(profiles, profileCount);
  if (!isSound) throw new RangeError(`The group of IPv${family}/${length} contradicts itself`);
}

function profilesExist(profiles: Uint16Array, profileCount: number): boolean {
  for (let index = 0; index < profiles.length; index++) {
    if (profiles[index] >= profileCount) return false;
  }
  return true;
}

function verifyChecksum(bytes: Uint8Array): void {
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < HEADER_BYTES) throw new SnapshotCorruptError('it ends too early');
  if (!timingSafeEqual(checksumOf(bytes.subarray(0, end)), bytes.subarray(end))) {
    throw new SnapshotCorruptError('its checksum differs');
  }
}

function checksumOf(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

/** `told` is written only where it is true: releases without it read the other profiles. */
function plainProfile({ region, services, ipv4, ipv6, told }: Profile): Profile {
  return { region, services, ipv4, ipv6, ...(told && { told }) };
}

function parseProfiles(text: string): Profile[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SnapshotCorruptError('its profiles are not JSON');
  }
  if (!Array.isArray(value) || !value.every(isProfile)) {
    throw new SnapshotCorruptError('its profiles have another shape');
  }
  return value.map(plainProfile);
}

function isProfile(value: unknown): value is Profile {
  if (typeof value !== 'object' || value === null) return false;
  const { region, services, ipv4, ipv6, told } = value as Partial<Record<keyof Profile, unknown>>;
  return (
    typeof region === 'string' &&
    typeof ipv4 === 'boolean' &&
    typeof ipv6 === 'boolean' &&
    (told === undefined || typeof told === 'boolean') &&
    typeof services === 'object' &&
    services !== null &&
    !Array.isArray(services) &&
    Object.values(services).every((choice) => typeof choice === 'string')
  );
}
