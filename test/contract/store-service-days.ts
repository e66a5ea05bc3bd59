import { expect, it } from 'vitest';
import type { Store } from '../../src/registry/store/store.ts';

const HOURS = 'o'.repeat(12).padEnd(24, '.');
const WORSE = 'o'.repeat(11).padEnd(24, 't');

/** Promises of every store about the history of services. */
export function serviceDaysContract(get: () => Store): void {
  const put = (
    day: number,
    firstDay: number,
    ...series: [service: string, region: string, hours: string][]
  ) =>
    get().putServiceDay({
      day,
      firstDay,
      series: series.map(([service, region, hours]) => ({ service, region, hours })),
    });
  const read = async (firstDay: number, lastDay: number) =>
    (await get().readServiceDays({ firstDay, lastDay })).map((one) => Object.values(one).join(' '));

  it('keeps series, replaces them, and lists them by day, service and region', async () => {
    await put(20_001, 20_000, ['hulu', 'us', HOURS]);
    await put(20_000, 19_999, ['netflix', 'us', HOURS], ['netflix', 'gb', HOURS], ['7plus', 'au', HOURS]);
    await put(20_000, 19_999, ['netflix', 'us', WORSE]);
    expect(await read(19_999, 20_001)).toEqual([
      `20000 7plus au ${HOURS}`,
      `20000 netflix gb ${HOURS}`,
      `20000 netflix us ${WORSE}`,
      `20001 hulu us ${HOURS}`,
    ]);
    expect(await read(20_001, 20_001)).toEqual([`20001 hulu us ${HOURS}`]);
    expect(await read(20_002, 20_040)).toEqual([]);
  });

  it('forgets the day before the first', async () => {
    await put(20_000, 19_999, ['hulu', 'us', HOURS]);
    await put(20_001, 20_000, ['hulu', 'us', HOURS]);
    expect(await read(19_000, 20_001)).toHaveLength(2);
    await put(20_002, 20_001, ['hulu', 'us', HOURS]);
    expect(await read(19_990, 20_002)).toEqual([`20001 hulu us ${HOURS}`, `20002 hulu us ${HOURS}`]);
  });

  it('makes no change of the allowlist', async () => {
    const before = await get().state();
    await put(20_000, 19_999, ['hulu', 'us', HOURS]);
    expect(await get().state()).toEqual(before);
  });
}
