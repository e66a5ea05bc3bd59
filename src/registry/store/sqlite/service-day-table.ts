import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { PutServiceDayStep, ServiceDayRecord } from '../store.ts';

/** Days of services: the state in each region, hour by hour. */
export class ServiceDayTable {
  private readonly insert: StatementSync;
  private readonly select: StatementSync;
  private readonly deleteBefore: StatementSync;

  constructor(database: DatabaseSync) {
    this.insert = database.prepare(
      'INSERT OR REPLACE INTO service_day (day, service, region, hours) VALUES (?, ?, ?, ?)',
    );
    this.select = database.prepare(
      'SELECT day, service, region, hours FROM service_day WHERE day BETWEEN ? AND ? ORDER BY day, service, region',
    );
    this.deleteBefore = database.prepare('DELETE FROM service_day WHERE day < ?');
  }

  put({ day, firstDay, series }: PutServiceDayStep): void {
    for (const { service, region, hours } of series) this.insert.run(day, service, region, hours);
    this.deleteBefore.run(firstDay);
  }

  read({ firstDay, lastDay }: { firstDay: number; lastDay: number }): ServiceDayRecord[] {
    return this.select.all(firstDay, lastDay).map((row) => ({ ...row })) as unknown as ServiceDayRecord[];
  }
}
