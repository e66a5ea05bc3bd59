import type { Change } from './change.ts';
import { profileOfText, profileText } from './profile-text.ts';
import { type Snapshot, type SnapshotGroup, snapshotKeyBytes } from './snapshot.ts';

/** A prefix's new profile as text; null: removed. */
type Fate = string | null;
type Key = number | string;

/**
 * Applies changes to a snapshot and returns a new one. One pass over the keys: a million entries take some tens of
 * milliseconds.
 *
 * @param changes from `snapshot.seq` + 1 on, without a gap
 */
export function mergeSnapshot(snapshot: Snapshot, changes: readonly Change[]): Snapshot {
  if (changes.length === 0) return snapshot;
  const fates = fatesByGroup(changes);
  const numbers = new ProfileNumbers();
  const groups: SnapshotGroup[] = [];
  for (const group of snapshot.groups) {
    const id = groupId(group.family, group.length);
    const texts = snapshot.profiles.map(profileText);
    const merged = mergeGroup(group, fates.get(id) ?? new Map(), texts, numbers);
    fates.delete(id);
    if (merged.count > 0) groups.push(merged);
  }
  for (const [id, changed] of fates) {
    const empty: SnapshotGroup = {
      family: id >> 8 === 4 ? 4 : 6,
      length: id & 0xff,
      count: 0,
      keys: new Uint8Array(0),
      profiles: new Uint16Array(0),
    };
    const merged = mergeGroup(empty, changed, [], numbers);
    if (merged.count > 0) groups.push(merged);
  }
  return {
    version: snapshot.version,
    epoch: snapshot.epoch,
    seq: changes[changes.length - 1].seq,
    profiles: numbers.texts.map(profileOfText),
    groups,
  };
}

/** Numbers profiles in the order in which entries use them. */
class ProfileNumbers {
  readonly texts: string[] = [];
  private readonly numbers = new Map<string, number>();

  of(text: string): number {
    const known = this.numbers.get(text);
    if (known !== undefined) return known;
    const number = this.texts.push(text) - 1;
    this.numbers.set(text, number);
    return number;
  }
}

function groupId(family: number, length: number): number {
  return family * 256 + length;
}

function fatesByGroup(changes: readonly Change[]): Map<number, Map<Key, Fate>> {
  const groups = new Map<number, Map<Key, Fate>>();
  for (const change of changes) {
    const { family, length, bytes } = change.prefix;
    const id = groupId(family, length);
    let fates = groups.get(id);
    if (fates === undefined) {
      fates = new Map();
      groups.set(id, fates);
    }
    const key = keyAt(bytes, 0, snapshotKeyBytes(family, length));
    // Moves the key to the end, so that new entries follow in the order of the log.
    fates.delete(key);
    fates.set(key, change.kind === 'set' ? profileText(change.profile) : null);
  }
  return groups;
}

function mergeGroup(
  group: SnapshotGroup,
  fates: ReadonlyMap<Key, Fate>,
  texts: readonly string[],
  numbers: ProfileNumbers,
): SnapshotGroup {
  const { family, length, count } = group;
  const width = snapshotKeyBytes(family, length);
  const keys = new Uint8Array((count + fates.size) * width);
  const profiles = new Uint16Array(count + fates.size);
  const renumbered = new Int32Array(texts.length).fill(-1);
  const left = new Map(fates);
  let end = 0;
  for (let index = 0; index < count; index++) {
    let number = renumbered[group.profiles[index]];
    if (fates.size > 0) {
      const key = keyAt(group.keys, index * width, width);
      const fate = fates.get(key);
      if (fate !== undefined) {
        left.delete(key);
        if (fate === null) continue;
        number = numbers.of(fate);
      }
    }
    if (number === -1) {
      number = numbers.of(texts[group.profiles[index]]);
      renumbered[group.profiles[index]] = number;
    }
    for (let at = 0; at < width; at++) keys[end * width + at] = group.keys[index * width + at];
    profiles[end++] = number;
  }
  for (const [key, fate] of left) {
    if (fate === null) continue;
    putKey(keys, end * width, key);
    profiles[end++] = numbers.of(fate);
  }
  return { family, length, count: end, keys: keys.slice(0, end * width), profiles: profiles.slice(0, end) };
}

/** Returns a key of four bytes as a number, which needs no allocation, and longer ones as text. */
function keyAt(bytes: Uint8Array, offset: number, width: number): Key {
  if (width === 4) {
    return (bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3];
  }
  let text = '';
  for (let at = offset; at < offset + width; at++) text += String.fromCharCode(bytes[at]);
  return text;
}

function putKey(bytes: Uint8Array, offset: number, key: Key): void {
  if (typeof key === 'number') {
    for (let at = 0; at < 4; at++) bytes[offset + at] = key >>> (24 - 8 * at);
  } else {
    for (let at = 0; at < key.length; at++) bytes[offset + at] = key.charCodeAt(at);
  }
}
