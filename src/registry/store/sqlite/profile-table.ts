import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { TooManyProfilesError } from '../../errors.ts';
import { MAX_PROFILES } from '../store.ts';

/** The profiles in use, numbered and counted; a profile without entries is removed. */
export class ProfileTable {
  private readonly find: StatementSync;
  private readonly count: StatementSync;
  private readonly insert: StatementSync;
  private readonly useStatement: StatementSync;
  private readonly forget: StatementSync;
  /** Uses gained or lost in this step, by profile number. */
  private readonly uses = new Map<number, number>();

  constructor(database: DatabaseSync) {
    this.find = database.prepare('SELECT number FROM profile WHERE text = ?');
    this.count = database.prepare('SELECT count(*) AS count FROM profile');
    this.insert = database.prepare('INSERT INTO profile (text, uses) VALUES (?, 0)');
    this.useStatement = database.prepare('UPDATE profile SET uses = uses + ? WHERE number = ?');
    this.forget = database.prepare('DELETE FROM profile WHERE number = ? AND uses = 0');
  }

  /** @throws TooManyProfilesError */
  numberOf(text: string): number {
    const row = this.find.get(text);
    if (row !== undefined) return row['number'] as number;
    if ((this.count.get()!['count'] as number) >= MAX_PROFILES) {
      throw new TooManyProfilesError(`the store has ${MAX_PROFILES} different profiles, which is the limit`);
    }
    return Number(this.insert.run(text).lastInsertRowid);
  }

  use(number: number, by: 1 | -1): void {
    this.uses.set(number, (this.uses.get(number) ?? 0) + by);
  }

  /** Writes the uses counted in the step. */
  settle(): void {
    for (const [number, by] of this.uses) {
      if (by === 0) continue;
      this.useStatement.run(by, number);
      if (by < 0) this.forget.run(number);
    }
    this.uses.clear();
  }

  /** Forgets the uses counted in a failed step. */
  reset(): void {
    this.uses.clear();
  }
}
