import {
  hashProfile,
  ListDigest,
  type Prefix,
  type ProfileHash,
  type Snapshot,
  snapshotKeyBytes,
} from '../feed/index.ts';
import { NOT_REGISTERED, type ProfileId } from './profile-id.ts';
import type { Profiles } from './profiles.ts';

/** Entries hashed in one go: about 3 ms. */
const SLICE_ENTRIES = 65_536;
/** Between two slices: nobody waits for the digest, and a large list is loaded when there is much else to do. */
const PAUSE_MS = 20;

/**
 * The digest of the list that is served, kept change by change. The entries of a snapshot are added in slices
 * with pauses between them: the order of a digest's sums does not matter, so changes need not wait.
 */
export class RunningDigest {
  private readonly hashes: ProfileHash[] = [];
  private digest = new ListDigest();
  private isKnown = false;
  /** Counts what was begun, so that the slices of an older snapshot end. */
  private generation = 0;

  constructor(profiles: Profiles) {
    profiles.onInterned((id, profile) => {
      this.hashes[id] = hashProfile(profile);
    });
  }

  /** Null while the entries of a snapshot are being added, and where a change could not be applied. */
  get value(): string | null {
    return this.isKnown ? this.digest.toString() : null;
  }

  begin(snapshot: Snapshot): void {
    this.digest = new ListDigest();
    this.isKnown = false;
    this.generation += 1;
    void this.addAll(snapshot, this.generation);
  }

  change(prefix: Prefix, previous: ProfileId, next: ProfileId): void {
    if (previous !== NOT_REGISTERED) this.digest.subtractPrefix(prefix, this.hashes[previous]);
    if (next !== NOT_REGISTERED) this.digest.addPrefix(prefix, this.hashes[next]);
  }

  /** The list is not what the feed tells, and known not to be: a comparison would say nothing. */
  spoil(): void {
    this.isKnown = false;
    this.generation += 1;
  }

  private async addAll(snapshot: Snapshot, generation: number): Promise<void> {
    const digest = this.digest;
    const hashes = snapshot.profiles.map(hashProfile);
    for (const { family, length, count, keys, profiles } of snapshot.groups) {
      const width = snapshotKeyBytes(family, length);
      for (let index = 0; index < count; ) {
        const end = Math.min(count, index + SLICE_ENTRIES);
        for (; index < end; index++) digest.add(family, length, keys, index * width, hashes[profiles[index]]);
        if (index < count) await new Promise((resolve) => void setTimeout(resolve, PAUSE_MS).unref());
        if (this.generation !== generation) return;
      }
    }
    this.isKnown = true;
  }
}
