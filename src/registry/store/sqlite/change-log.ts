import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Change, profileOfText } from '../../../feed/index.ts';
import { prefixOfKey } from '../prefix-key.ts';

/** An entry's new profile as text; null: removed. */
export interface EntryChange {
  key: Uint8Array;
  profile: string | null;
}

/** The log of changes and its sequence. */
export class ChangeLog {
  private readonly limit: number;
  private readonly stateStatement: StatementSync;
  private readonly advance: StatementSync;
  private readonly insert: StatementSync;
  private readonly sinceStatement: StatementSync;
  private readonly deleteThrough: StatementSync;
  private readonly setTrimmed: StatementSync;

  /** @param limit changes that are kept at most */
  constructor(database: DatabaseSync, limit: number) {
    this.limit = limit;
    this.stateStatement = database.prepare('SELECT epoch, seq, trimmed FROM state WHERE id = 1');
    this.advance = database.prepare('UPDATE state SET seq = seq + ? WHERE id = 1 RETURNING seq, trimmed');
    this.insert = database.prepare('INSERT INTO log (seq, prefix, profile) VALUES (?, ?, ?)');
    this.sinceStatement = database.prepare(
      'SELECT seq, prefix, profile FROM log WHERE seq > ? ORDER BY seq LIMIT ?',
    );
    this.deleteThrough = database.prepare('DELETE FROM log WHERE seq <= ?');
    this.setTrimmed = database.prepare('UPDATE state SET trimmed = ? WHERE id = 1');
  }

  state(): { epoch: string; seq: number; trimmed: number } {
    return this.stateStatement.get() as { epoch: string; seq: number; trimmed: number };
  }

  /** Numbers the changes and keeps them. */
  append(entries: readonly EntryChange[]): Change[] {
    if (entries.length === 0) return [];
    const { seq: last, trimmed } = this.advance.get(entries.length) as { seq: number; trimmed: number };
    const changes: Change[] = [];
    let seq = last - entries.length;
    for (const entry of entries) {
      seq++;
      this.insert.run(seq, entry.key, entry.profile);
      changes.push(changeOf(seq, entry));
    }
    if (last - trimmed > this.limit) this.trim(last - this.limit);
    return changes;
  }

  since(seq: number, limit: number): Change[] | 'gap' {
    const state = this.state();
    if (seq < state.trimmed || seq > state.seq) return 'gap';
    const rows = this.sinceStatement.all(seq, limit) as unknown as {
      seq: number;
      prefix: Uint8Array;
      profile: string | null;
    }[];
    return rows.map((row) => changeOf(row.seq, { key: row.prefix, profile: row.profile }));
  }

  /** @returns true if changes were removed */
  trim(throughSeq: number): boolean {
    const { seq, trimmed } = this.state();
    const through = Math.min(throughSeq, seq);
    if (through <= trimmed) return false;
    this.deleteThrough.run(through);
    this.setTrimmed.run(through);
    return true;
  }
}

function changeOf(seq: number, entry: EntryChange): Change {
  const prefix = prefixOfKey(entry.key);
  if (entry.profile === null) return { seq, kind: 'remove', prefix };
  return { seq, kind: 'set', prefix, profile: profileOfText(entry.profile) };
}
