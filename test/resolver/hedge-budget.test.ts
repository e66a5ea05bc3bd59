import { expect, test } from 'vitest';
import { HedgeBudget } from '../../src/resolver/hedge-budget.ts';

test('one question in ten is hedged when everything is slow', () => {
  const budget = new HedgeBudget();
  let hedged = 0;
  for (let i = 0; i < 10_000; i++) {
    budget.earn();
    if (budget.spend()) hedged++;
  }
  expect(hedged).toBeGreaterThan(990);
  expect(hedged).toBeLessThan(1030);
});

test('quiet times save up a few hedges, not a flood', () => {
  const budget = new HedgeBudget();
  for (let i = 0; i < 10_000; i++) budget.earn();
  let hedged = 0;
  while (budget.spend()) hedged++;
  expect(hedged).toBe(16);
});
