import type { ServiceDayRecord, Store } from './store/store.ts';

/** States of a service in a region, the best first; the first letter stands for an hour of it in the store. */
export const SERVICE_STATES = ['unknown', 'ok', 'partly', 'trouble'] as const;
/**
 * - unknown: no relay could tell;
 * - ok: every relay of the region that could tell passes the service's check;
 * - partly: some do, and answers hold those;
 * - trouble: none does.
 */
export type ServiceState = (typeof SERVICE_STATES)[number];

export interface ServiceSeries {
  readonly service: string;
  readonly region: string;
}

/** One day of a service in a region. */
export interface ServiceDay extends ServiceSeries {
  /** `2026-11-30`, UTC. */
  readonly day: string;
  /** A letter an hour: `u` unknown, `o` ok, `p` partly, `t` trouble, the worst that was seen; `.`: nothing. */
  readonly hours: string;
}

/** Days that are kept, today among them. */
export const SERVICE_HISTORY_DAYS = 31;
/** Pairs of a service and a region that are kept of a day; more are left out. */
export const MAX_SERVICE_SERIES = 2_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const NOTHING = '.'.repeat(24);
const ORDER = `.${SERVICE_STATES.map((state) => state[0]).join('')}`;

/** History of the services by day and hour. Nothing in it is about a home. */
export class ServiceHistory {
  private readonly store: Store;
  private readonly now: () => number;

  /** @param options.now milliseconds since 1970 */
  constructor(store: Store, { now }: { now: () => number }) {
    this.store = store;
    this.now = now;
  }

  /** Notes states of the present hour. A worse one noted earlier in the hour stays. */
  async note(states: readonly (ServiceSeries & { readonly state: ServiceState })[]): Promise<void> {
    if (states.length === 0) return;
    const nowMs = this.now();
    const day = Math.floor(nowMs / DAY_MS);
    const hour = Math.floor((nowMs % DAY_MS) / HOUR_MS);
    const kept = new Map((await this.store.readServiceDays({ firstDay: day, lastDay: day })).map(entryOf));
    const before = new Map(kept);
    for (const { service, region, state } of states) {
      const key = `${service} ${region}`;
      const hours = kept.get(key);
      if (hours === undefined && kept.size >= MAX_SERVICE_SERIES) continue;
      kept.set(key, noted(hours ?? NOTHING, hour, state));
    }
    const series = [...kept].filter(([key, hours]) => before.get(key) !== hours).map(seriesOf);
    if (series.length === 0) return;
    await this.store.putServiceDay({ day, firstDay: day - SERVICE_HISTORY_DAYS + 1, series });
  }

  /** Lists the last `days` days, today among them, ordered by day, service and region. */
  async read(days: number): Promise<ServiceDay[]> {
    const lastDay = Math.floor(this.now() / DAY_MS);
    const records = await this.store.readServiceDays({ firstDay: lastDay - days + 1, lastDay });
    return records.map(({ day, ...rest }) => ({ day: dayText(day), ...rest }));
  }
}

function entryOf({ service, region, hours }: ServiceDayRecord): [string, string] {
  return [`${service} ${region}`, hours];
}

function seriesOf([key, hours]: [string, string]): Omit<ServiceDayRecord, 'day'> {
  const [service, region] = key.split(' ');
  return { service, region, hours };
}

function noted(hours: string, hour: number, state: ServiceState): string {
  const letter = state[0];
  if (ORDER.indexOf(hours[hour]) >= ORDER.indexOf(letter)) return hours;
  return hours.slice(0, hour) + letter + hours.slice(hour + 1);
}

function dayText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}
