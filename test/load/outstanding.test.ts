import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NOT_WAITING, Outstanding, outstandingCapacity } from '../../src/load/outstanding.ts';
import { Tallies, WARM_UP } from '../../src/load/tallies.ts';

const lostOf = (tallies: Tallies): number => tallies.total(false).lost;

describe('outstanding queries', () => {
  it('are found by their ID once', () => {
    const [queries, tallies] = [new Outstanding(64), new Tallies()];
    const id = queries.add(10, 11, 7, 0, tallies);
    const slot = queries.find(id);
    expect([queries.dueMs[slot], queries.sources[slot], queries.categories[slot]]).toEqual([10, 7, 0]);
    queries.settle(slot);
    expect(queries.find(id)).toBe(NOT_WAITING);
    expect(queries.find((id + 64) & 0xffff)).toBe(NOT_WAITING);
  });

  it('are lost when their timeout has passed since they were sent', () => {
    const [queries, tallies] = [new Outstanding(64), new Tallies()];
    queries.add(0, 100, 0, 0, tallies);
    queries.add(0, 101, 0, 0, tallies);
    queries.add(0, 102, 0, WARM_UP, tallies);
    queries.expire(99, tallies);
    expect(lostOf(tallies)).toBe(0);
    queries.expire(100, tallies);
    expect(lostOf(tallies)).toBe(1);
    queries.expire(200, tallies);
    expect([lostOf(tallies), tallies.progress.lost, queries.isEmpty]).toEqual([2, 3, true]);
  });

  it('are each answered or lost, in any order of events', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add' as const) }),
      fc.record({ kind: fc.constant('answer' as const), id: fc.integer({ min: 0, max: 300 }) }),
      fc.record({ kind: fc.constant('expire' as const), age: fc.integer({ min: 0, max: 20 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const [queries, tallies] = [new Outstanding(64), new Tallies()];
        const waiting = new Map<number, number>();
        let [clock, added, answered] = [0, 0, 0];
        for (const one of steps) {
          clock++;
          if (one.kind === 'add') {
            if (waiting.size > 0 && added - Math.min(...waiting.values()) >= 64) {
              waiting.delete([...waiting].find(([, n]) => n === added - 64)![0]);
            }
            waiting.set(queries.add(clock, clock, 0, 0, tallies), added++);
          } else if (one.kind === 'answer') {
            const slot = queries.find(one.id);
            expect(slot !== NOT_WAITING).toBe(waiting.has(one.id));
            if (slot === NOT_WAITING) continue;
            expect(queries.dueMs[slot]).toBeGreaterThan(0);
            queries.settle(slot);
            waiting.delete(one.id);
            answered++;
          } else {
            queries.expire(clock - one.age, tallies);
            for (const [id] of waiting) if (queries.find(id) === NOT_WAITING) waiting.delete(id);
          }
        }
        queries.expire(clock, tallies);
        expect(answered + lostOf(tallies)).toBe(added);
        expect(queries.isEmpty).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it("have room for a timeout's queries, within the number of IDs", () => {
    expect(outstandingCapacity(1000, 1000)).toBe(2048);
    expect(outstandingCapacity(1, 10)).toBe(64);
    expect(outstandingCapacity(1e6, 60_000)).toBe(65_536);
  });
});
