import type { DatabaseSync } from 'node:sqlite';
import type { Change } from '../../../feed/index.ts';
import { AccountTable } from './account-table.ts';
import { ChangeLog } from './change-log.ts';
import { Entries } from './entries.ts';
import { HostnameTable } from './hostname-table.ts';
import { IdempotencyTable } from './idempotency-table.ts';
import { PrivateNameTable } from './private-name-table.ts';
import { RegistrationTable } from './registration-table.ts';
import { ServiceDayTable } from './service-day-table.ts';

/** The tables that steps work on, and what the present step has changed. */
export class Tables {
  readonly accounts: AccountTable;
  readonly registrations: RegistrationTable;
  readonly idempotency: IdempotencyTable;
  readonly hostnames: HostnameTable;
  readonly privateNames: PrivateNameTable;
  readonly serviceDays: ServiceDayTable;
  readonly entries: Entries;
  readonly log: ChangeLog;
  private changes: Change[] = [];
  private erased = false;

  constructor(database: DatabaseSync, logLimit: number) {
    this.accounts = new AccountTable(database);
    this.registrations = new RegistrationTable(database);
    this.idempotency = new IdempotencyTable(database);
    this.hostnames = new HostnameTable(database);
    this.privateNames = new PrivateNameTable(database);
    this.serviceDays = new ServiceDayTable(database);
    this.entries = new Entries(database);
    this.log = new ChangeLog(database, logLimit);
  }

  /** Notes that the step erased something, so that its bytes are removed from the files soon. */
  noteErasure(): void {
    this.erased = true;
  }

  /** Logs the step's changes of entries; call it at the end of a step that touched any. */
  settle(): void {
    const changes = this.log.append(this.entries.settle());
    for (const change of changes) this.changes.push(change);
  }

  /** Returns the changes logged since the last call, and whether anything was erased. */
  take(): { changes: Change[]; erased: boolean } {
    const taken = { changes: this.changes, erased: this.erased };
    this.changes = [];
    this.erased = false;
    return taken;
  }

  /** Forgets the changes of a step that was rolled back. */
  reset(): void {
    this.entries.reset();
    this.take();
  }
}
