import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { profileText } from '../../../feed/index.ts';
import type { EntryChange } from './change-log.ts';
import { ProfileTable } from './profile-table.ts';

interface EntryRow {
  profile: number;
  holders: number;
  others: number;
}

/** The profile number of an entry that has no profile yet. */
const NO_PROFILE = 0;

/**
 * The entries of the allowlist, kept in step with the registrations that hold them. A step marks entries (hold, release,
 * shiftOthers, touch) and settles them once at its end; an entry that is the same as before makes no change.
 */
export class Entries {
  private readonly profiles: ProfileTable;
  private readonly holdStatement: StatementSync;
  private readonly releaseStatement: StatementSync;
  private readonly shiftOthersStatement: StatementSync;
  private readonly get: StatementSync;
  private readonly owner: StatementSync;
  private readonly setProfile: StatementSync;
  private readonly delete: StatementSync;
  private readonly touched = new Map<string, Uint8Array>();

  constructor(database: DatabaseSync) {
    this.profiles = new ProfileTable(database);
    this.holdStatement = database.prepare(
      `INSERT INTO entry (prefix, profile, holders, others) VALUES (?, ${NO_PROFILE}, 1, ?)
       ON CONFLICT (prefix) DO UPDATE SET holders = holders + 1, others = others + excluded.others`,
    );
    this.releaseStatement = database.prepare(
      'UPDATE entry SET holders = holders - 1, others = others - ? WHERE prefix = ?',
    );
    this.shiftOthersStatement = database.prepare('UPDATE entry SET others = others + ? WHERE prefix = ?');
    this.get = database.prepare('SELECT profile, holders, others FROM entry WHERE prefix = ?');
    this.owner = database.prepare(
      `SELECT region, services FROM registration JOIN account ON account.number = registration.account
       WHERE prefix = ? AND live = 1 ORDER BY renewal DESC LIMIT 1`,
    );
    this.setProfile = database.prepare('UPDATE entry SET profile = ? WHERE prefix = ?');
    this.delete = database.prepare('DELETE FROM entry WHERE prefix = ?');
  }

  /** Adds a live registration of the prefix. @param other its account has the other family too */
  hold(key: Uint8Array, other: boolean): void {
    this.holdStatement.run(key, Number(other));
    this.touch(key);
  }

  /** Takes a live registration away. @param other as it was counted until now */
  release(key: Uint8Array, other: boolean): void {
    this.releaseStatement.run(Number(other), key);
    this.touch(key);
  }

  /** Counts that the account of a live registration gained (1) or lost (-1) the other family. */
  shiftOthers(key: Uint8Array, by: 1 | -1): void {
    this.shiftOthersStatement.run(by, key);
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
    const text = this.profileText(key, entry);
    const number = this.profiles.numberOf(text);
    if (number === entry.profile) return null;
    this.setProfile.run(number, key);
    this.profiles.use(number, 1);
    if (entry.profile !== NO_PROFILE) this.profiles.use(entry.profile, -1);
    return { key, profile: text };
  }

  private profileText(key: Uint8Array, entry: EntryRow): string {
    const owner = this.owner.get(key) as unknown as { region: string; services: string };
    const other = entry.others > 0;
    return profileText({
      region: owner.region,
      services: JSON.parse(owner.services),
      ipv4: key[0] === 4 || other,
      ipv6: key[0] === 6 || other,
    });
  }
}
