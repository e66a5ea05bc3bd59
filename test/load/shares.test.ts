import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KINDS, LoadPlanError, parseShares } from '../../src/load/index.ts';
import { turnsOf } from '../../src/load/shares.ts';

describe('shares', () => {
  it('are parsed by name; absent names have none', () => {
    expect(parseShares('catalog=70,hit=25,miss=5', KINDS, 'mix')).toEqual({
      catalog: 70,
      hit: 25,
      miss: 5,
    });
    expect(parseShares('miss=1', KINDS, 'mix')).toEqual({ catalog: 0, hit: 0, miss: 1 });
  });

  it.each([['other=1'], ['hit'], ['hit=-1'], ['hit=x'], ['hit=0'], [''], ['hit=1.5'], ['hit=1,,miss=2']])(
    'are refused where they make no mix: %j',
    (text) => {
      expect(() => parseShares(text, KINDS, 'mix')).toThrow(LoadPlanError);
    },
  );
});

describe('turns', () => {
  const weights = fc
    .array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 6 })
    .filter((list) => list.some((weight) => weight > 0));

  it('hold each share exactly over a period, and within one turn over any prefix', () => {
    fc.assert(
      fc.property(weights, (list) => {
        const total = list.reduce((sum, weight) => sum + weight, 0);
        const counts = list.map(() => 0);
        for (const [n, turn] of turnsOf(list).entries()) {
          counts[turn]!++;
          for (const [i, weight] of list.entries()) {
            expect(Math.abs(counts[i]! - ((n + 1) * weight) / total)).toBeLessThan(list.length);
          }
        }
        const period = counts.reduce((sum, count) => sum + count, 0);
        expect(counts.map((count) => count * total)).toEqual(list.map((weight) => weight * period));
      }),
      { numRuns: 60 },
    );
  });

  it('are as few as possible, and bounded', () => {
    expect([...turnsOf([50, 50])]).toEqual([0, 1]);
    expect(turnsOf([999_999, 1])).toHaveLength(65_536);
  });
});
