import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Schedule } from '../../src/load/schedule.ts';

function scheduleOf(ratePerSecond: number, seconds: number, warmUpSeconds = 0): Schedule {
  const schedule = new Schedule({ ratePerSecond, seconds, warmUpSeconds });
  schedule.begin(5000);
  return schedule;
}

describe('the schedule of a load', () => {
  it('is even, begins at its start and has rate times seconds queries', () => {
    const schedule = scheduleOf(1000, 2);
    expect(schedule.count).toBe(2000);
    expect([0, 1, 10].map((n) => schedule.dueMs(n))).toEqual([5000, 5001, 5010]);
    expect(schedule.endMs).toBe(6999);
    expect([4999, 5000, 5000.5, 5001, 1e9].map((ms) => schedule.dueBy(ms))).toEqual([0, 1, 1, 2, 2000]);
  });

  it('has nothing due before it has begun', () => {
    const schedule = new Schedule({ ratePerSecond: 10, seconds: 1, warmUpSeconds: 0 });
    expect(schedule.dueBy(1e12)).toBe(0);
  });

  it('is independent of sending: a query stays due at its time', () => {
    const rate = fc.integer({ min: 1, max: 1_000_000 });
    fc.assert(
      fc.property(rate, fc.integer({ min: 0, max: 100_000 }), (ratePerSecond, n) => {
        const schedule = scheduleOf(ratePerSecond, 3600);
        const due = schedule.dueMs(n);
        expect(schedule.dueBy(due + 1e-6)).toBeGreaterThanOrEqual(Math.min(n + 1, schedule.count));
        expect(schedule.dueBy(due - 1e-3)).toBeLessThanOrEqual(n);
      }),
    );
  });

  it('cuts off a late warm-up and skips no measured query', () => {
    const schedule = scheduleOf(100, 1, 2);
    expect([schedule.warmUpCount, schedule.count]).toEqual([200, 300]);
    expect(schedule.next(50, 6999)).toBe(50);
    expect(schedule.next(50, 7000)).toBe(200);
    expect(schedule.next(201, 7999)).toBe(201);
  });
});
