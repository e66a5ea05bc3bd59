import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { profileText } from '../../../feed/index.ts';
import { EvidenceRank } from '../evidence.ts';
import type { EntryChange } from './change-log.ts';
import { ProfileTable } from './profile-table.ts';

interface EntryRow {
  profile: number;
  holders: number;
}

/** The account whose profile an entry has. */
interface OwnerRow {
  region: string;
  services: string;
  ipv4: number;
  ipv6: number;
  evidence: number;
}

/** The profile number of an entry that has no profile yet. */
const NO_PROFILE = 0;

/**
 * The entries of the allowlist, kept in step with the registrations that hold them. A step marks entries (hold, release,
 * touch) and settles them once at its end; an entry that is the same as before makes no change.
 */
export class Entries {
  private readonly profiles: ProfileTable;
  private readonly holdStatement: StatementSync;
  private readonly releaseStatement: StatementSync;
  private readonly get: StatementSync;
  private readonly owner: StatementSync;
  private readonly setProfile: StatementSync;
  private readonly delete: StatementSync;
  private readonly touched = new Map<string, Uint8Array>();

  constructor(database: DatabaseSync) {
    this.profiles = new ProfileTable(database);
    this.holdStatement = database.prepare(
      `INSERT INTO entry (prefix, profile, holders) VALUES (?, ${NO_PROFILE}, 1)
       ON CONFLICT (prefix) DO UPDATE SET holders = holders + 1`,
    );
    this.releaseStatement = database.prepare('UPDATE entry SET holders = holders - 1 WHERE prefix = ?');
    this.get = database.prepare('SELECT profile, holders FROM entry WHERE prefix = ?');
    // The holder with the strongest evidence, and of these the latest renewal, decides alone.
    this.owner = database.prepare(
      `SELECT region, services, ipv4, ipv6, evidence
       FROM registration JOIN account ON account.number = registration.account
       WHERE prefix = ? AND live = 1 ORDER BY evidence DESC, renewal DESC LIMIT 1`,
    );
    this.setProfile = database.prepare('UPDATE entry SET profile = ? WHERE prefix = ?');
    this.delete = database.prepare('DELETE FROM entry WHERE prefix = ?');
  }

  /** Adds a live registration of the prefix. */
  hold(key: Uint8Array): void {
    this.holdStatement.run(key);
    this.touch(key);
  }

  /** Takes a live registration of the prefix away. */
  release(key: Uint8Array): void {
    this.releaseStatement.run(key);
    this.touch(key);
  }

  /** Marks an entry whose profile may have changed. */
  touch(key: Uint8Array): void {
    this.touched.set(Buffer.from(key).toString('latin1'), key);
  }

  /** Returns the entries that the step changed, in the order in which they were marked. */
  settle(): EntryChange[] {
    const changes: EntryChange[] = [];
    for (const key of this.touched.values()) {
      const change = this.settleEntry(key);
      if (change !== null) changes.push(change);
    }
    this.touched.clear();
    this.profiles.settle();
    return changes;
  }

  /** Forgets the entries that a failed step marked. */
  reset(): void {
    this.touched.clear();
    this.profiles.reset();
  }

  private settleEntry(key: Uint8Array): EntryChange | null {
    const entry = this.get.get(key) as unknown as EntryRow | undefined;
    if (entry === undefined) return null;
    if (entry.holders === 0) {
      this.delete.run(key);
      if (entry.profile === NO_PROFILE) return null;
      this.profiles.use(entry.profile, -1);
      return { key, profile: null };
    }
    const text = this.profileText(key);
    const number = this.profiles.numberOf(text);
    if (number === entry.profile) return null;
    this.setProfile.run(number, key);
    this.profiles.use(number, 1);
    if (entry.profile !== NO_PROFILE) this.profiles.use(entry.profile, -1);
    return { key, profile: text };
  }

  private profileText(key: Uint8Array): string {
    const owner = this.owner.get(key) as unknown as OwnerRow;
    return profileText({
      region: owner.region,
      services: JSON.parse(owner.services),
      ipv4: owner.ipv4 > 0,
      ipv6: owner.ipv6 > 0,
      told: owner.evidence === EvidenceRank.TOLD,
    });
  }
}
