import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { dayOf, leaseEnd } from '../../days.ts';
import { EvidenceRank, evidenceRank } from '../evidence.ts';
import type { RegisterStep } from '../store.ts';
import type { AccountRow, RegistrationRow } from './rows.ts';

/** A label of undefined stays. */
export type Renewal = Pick<RegisterStep, 'label' | 'evidence' | 'nowMs' | 'expiresAtMs'>;

export class RegistrationTable {
  private readonly insertStatement: StatementSync;
  private readonly findStatement: StatementSync;
  private readonly byIdStatement: StatementSync;
  private readonly ofAccountStatement: StatementSync;
  private readonly byAgeStatement: StatementSync;
  private readonly renewStatement: StatementSync;
  private readonly setLiveStatement: StatementSync;
  private readonly setLabelStatement: StatementSync;
  private readonly labelledStatement: StatementSync;
  private readonly expiredStatement: StatementSync;
  private readonly toldStatement: StatementSync;
  private readonly seenStatement: StatementSync;
  private readonly deleteStatement: StatementSync;
  private readonly nextRenewal: StatementSync;
  private readonly epochStatement: StatementSync;
  private keptEpoch: string | null = null;

  constructor(database: DatabaseSync) {
    this.insertStatement = database.prepare(
      `INSERT INTO registration (id, account, prefix, live, renewal, label, source, evidence, created_at, expires_at,
         ends_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *`,
    );
    this.findStatement = database.prepare('SELECT * FROM registration WHERE account = ? AND prefix = ?');
    this.byIdStatement = database.prepare('SELECT * FROM registration WHERE account = ? AND id = ?');
    this.ofAccountStatement = database.prepare(
      'SELECT * FROM registration WHERE account = ? ORDER BY number',
    );
    this.byAgeStatement = database.prepare('SELECT * FROM registration WHERE account = ? ORDER BY renewal');
    this.renewStatement = database.prepare(
      'UPDATE registration SET renewal = ?, label = ?, evidence = ?, expires_at = ?, ends_at = ? WHERE number = ? RETURNING *',
    );
    this.setLabelStatement = database.prepare(
      'UPDATE registration SET label = ? WHERE number = ? RETURNING *',
    );
    this.setLiveStatement = database.prepare('UPDATE registration SET live = ? WHERE account = ?');
    this.labelledStatement = database.prepare('SELECT * FROM registration WHERE account = ? AND label = ?');
    this.expiredStatement = database.prepare(
      'SELECT * FROM registration WHERE ends_at <= ? ORDER BY ends_at LIMIT ?',
    );
    this.toldStatement = database.prepare(
      `SELECT * FROM registration WHERE prefix = ? AND live = 1 AND evidence = ${EvidenceRank.TOLD}`,
    );
    this.seenStatement = database.prepare(
      `SELECT 1 FROM registration WHERE prefix = ? AND live = 1 AND evidence = ${EvidenceRank.SEEN} LIMIT 1`,
    );
    this.deleteStatement = database.prepare('DELETE FROM registration WHERE number = ?');
    this.nextRenewal = database.prepare(
      'UPDATE state SET renewal = renewal + 1 WHERE id = 1 RETURNING renewal',
    );
    this.epochStatement = database.prepare('SELECT epoch FROM state WHERE id = 1');
  }

  insert(account: AccountRow, key: Uint8Array, step: RegisterStep): RegistrationRow {
    return this.insertStatement.get(
      step.id,
      account.number,
      key,
      1 - account.suspended,
      this.renewal(),
      step.label ?? null,
      step.source,
      evidenceRank(step.evidence),
      dayOf(step.nowMs),
      dayOf(step.expiresAtMs),
      leaseEnd(step.expiresAtMs, this.epoch(), step.id),
    ) as unknown as RegistrationRow;
  }

  /** Renews a registration. With weaker evidence than the registration's, only the lease moves, not its place in order. */
  renew(row: RegistrationRow, renewal: Renewal): RegistrationRow {
    const evidence = evidenceRank(renewal.evidence);
    return this.renewStatement.get(
      evidence < row.evidence ? row.renewal : this.renewal(),
      renewal.label === undefined ? row.label : renewal.label,
      Math.max(evidence, row.evidence),
      dayOf(renewal.expiresAtMs),
      leaseEnd(renewal.expiresAtMs, this.epoch(), row.id),
      row.number,
    ) as unknown as RegistrationRow;
  }

  find(account: AccountRow, key: Uint8Array): RegistrationRow | undefined {
    return this.findStatement.get(account.number, key) as unknown as RegistrationRow | undefined;
  }

  byId(account: AccountRow, id: string): RegistrationRow | undefined {
    return this.byIdStatement.get(account.number, id) as unknown as RegistrationRow | undefined;
  }

  /** Ordered by first registration. */
  ofAccount(account: AccountRow): RegistrationRow[] {
    return this.ofAccountStatement.all(account.number) as unknown as RegistrationRow[];
  }

  /** Ordered by last renewal, the oldest first. */
  byAge(account: AccountRow): RegistrationRow[] {
    return this.byAgeStatement.all(account.number) as unknown as RegistrationRow[];
  }

  labelled(account: AccountRow, label: string): RegistrationRow[] {
    return this.labelledStatement.all(account.number, label) as unknown as RegistrationRow[];
  }

  setLabel(row: RegistrationRow, label: string | null): RegistrationRow {
    return this.setLabelStatement.get(label, row.number) as unknown as RegistrationRow;
  }

  setLive(account: AccountRow, live: boolean): void {
    this.setLiveStatement.run(Number(live), account.number);
  }

  /** Lists registrations whose lease has ended. */
  expired(nowMs: number, limit: number): RegistrationRow[] {
    return this.expiredStatement.all(nowMs, limit) as unknown as RegistrationRow[];
  }

  /** Lists the live registrations of a prefix that are only told. */
  told(key: Uint8Array): RegistrationRow[] {
    return this.toldStatement.all(key) as unknown as RegistrationRow[];
  }

  /** True if a live registration of the prefix was seen. */
  isSeen(key: Uint8Array): boolean {
    return this.seenStatement.get(key) !== undefined;
  }

  delete(row: RegistrationRow): void {
    this.deleteStatement.run(row.number);
  }

  private epoch(): string {
    this.keptEpoch ??= this.epochStatement.get()!['epoch'] as string;
    return this.keptEpoch;
  }

  private renewal(): number {
    return this.nextRenewal.get()!['renewal'] as number;
  }
}
