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
/**
 * Pause between slices. The digest is not urgent, and loading a large allowlist coincides with other work.
 */
const PAUSE_MS = 20;

/**
 * Digest of the served allowlist, updated with each change. A snapshot's entries are added in slices with
 * pauses; the digest is a sum, so changes may come in between.
 */
export class RunningDigest {
  private readonly hashes: ProfileHash[] = [];
  private digest = new ListDigest();
  private isKnown = false;
  private spoiled = false;
  /** Increments with each snapshot, which stops the slices of the one before. */
  private generation = 0;

  constructor(profiles: Profiles) {
    profiles.onInterned((id, profile) => {
      this.hashes[id] = hashProfile(profile);
    });
  }

  /** True if the allowlist is known to differ from the feed's until the next snapshot. */
  get isSpoiled(): boolean {
    return this.spoiled;
  }

  /** Null while a snapshot's entries are being added, and while spoiled. */
  get value(): string | null {
    return this.isKnown ? this.digest.toString() : null;
  }

  begin(snapshot: Snapshot): void {
    this.digest = new ListDigest();
    this.isKnown = false;
    this.spoiled = false;
    this.generation += 1;
    void this.addAll(snapshot, this.generation);
  }

  change(prefix: Prefix, previous: ProfileId, next: ProfileId): void {
    if (previous !== NOT_REGISTERED) this.digest.subtractPrefix(prefix, this.hashes[previous]);
    if (next !== NOT_REGISTERED) this.digest.addPrefix(prefix, this.hashes[next]);
  }

  /** Marks the allowlist as different from the feed's, whatever its entries add up to. */
  spoil(): void {
    this.isKnown = false;
    this.spoiled = true;
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
