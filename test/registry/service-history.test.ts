import { afterEach, beforeEach, expect, it } from 'vitest';
import { MAX_SERVICE_SERIES, ServiceHistory } from '../../src/registry/service-history.ts';
import type { Store } from '../../src/registry/store/store.ts';
import { openStore, temporaryDirectory } from './support.ts';

const NOON = Date.UTC(2026, 10, 30, 12);
const HOUR_MS = 3_600_000;
let store: Store;
let nowMs = NOON;
let history: ServiceHistory;

beforeEach(async () => {
  store = await openStore(temporaryDirectory());
  nowMs = NOON;
  history = new ServiceHistory(store, { now: () => nowMs });
});
afterEach(() => store.close());

const note = (state: 'unknown' | 'ok' | 'partly' | 'trouble', service = 'hulu', region = 'us') =>
  history.note([{ service, region, state }]);

it('keeps the worst state of each hour', async () => {
  await note('ok');
  await note('trouble');
  await note('ok');
  nowMs += 2 * HOUR_MS;
  await note('unknown');
  await note('partly');
  expect(await history.read(1)).toEqual([
    { day: '2026-11-30', service: 'hulu', region: 'us', hours: `${'.'.repeat(12)}t.p${'.'.repeat(9)}` },
  ]);
});

it('begins a new day at midnight UTC, and keeps a month', async () => {
  for (let day = 0; day < 40; day++, nowMs += 24 * HOUR_MS) await note('ok');
  nowMs -= 24 * HOUR_MS;
  const days = (await history.read(40)).map(({ day }) => day);
  expect(days).toHaveLength(31);
  expect([days[0], days.at(-1)]).toEqual(['2026-12-09', '2027-01-08']);
  expect(await history.read(2)).toHaveLength(2);
});

it('goes on where another process stopped', async () => {
  await note('trouble');
  const successor = new ServiceHistory(store, { now: () => nowMs + HOUR_MS });
  await successor.note([{ service: 'hulu', region: 'us', state: 'ok' }]);
  expect((await successor.read(1))[0]?.hours).toBe(`${'.'.repeat(12)}to${'.'.repeat(10)}`);
});

it('leaves series past its limit out', async () => {
  const states = Array.from({ length: MAX_SERVICE_SERIES + 5 }, (_, index) => {
    return { service: `s${index}`, region: 'us', state: 'ok' as const };
  });
  await history.note(states);
  expect(await history.read(1)).toHaveLength(MAX_SERVICE_SERIES);
});
