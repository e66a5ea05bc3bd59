import { expect, it } from 'vitest';
import { AddressHealth } from '../../../src/catalog/health/address-health.ts';
import { conditionsOf } from '../../../src/catalog/health/index.ts';
import { Condition, type Relay } from '../../../src/catalog/index.ts';

const { UP, LAST_GOOD, DOWN, DRAINED } = Condition;

interface Known {
  readonly region?: string;
  readonly downAtMs?: number;
  readonly isDrained?: boolean;
  readonly isProbed?: boolean;
}

/** Conditions of IPv4 addresses. */
function conditions(...known: Known[]): Condition[] {
  const relays = known.map(({ region = 'us' }, index): Relay => {
    const address4 = Uint8Array.of(192, 0, 2, index);
    return { region, address4, address6: null, weight: 1, group: null };
  });
  const made = conditionsOf({
    relays,
    healthOf(index, family) {
      const { downAtMs, isProbed = true } = known[index]!;
      if (!isProbed || family === 6) return null;
      const health = new AddressHealth(0);
      return Object.assign(health, { isUp: downAtMs === undefined, lastGoodAtMs: downAtMs ?? 0 });
    },
    isDrained: (index) => known[index]!.isDrained ?? false,
    togetherMs: 1000,
  });
  return relays.map((_, index) => made.of(index, 4));
}

it('treats unprobed relays as up', () => {
  expect(conditions({}, { isProbed: false }, { downAtMs: 5 })).toEqual([UP, UP, LAST_GOOD]);
});

it('takes those last good at about the same time as the last good ones, in each region', () => {
  expect(
    conditions({ downAtMs: 9000 }, { downAtMs: 8000 }, { downAtMs: 7999 }, { region: 'gb', downAtMs: 100 }),
  ).toEqual([LAST_GOOD, LAST_GOOD, DOWN, LAST_GOOD]);
});

it('never counts a drained relay as good', () => {
  expect(
    conditions(
      { isDrained: true },
      { isDrained: true, downAtMs: 9000 },
      { downAtMs: 100 },
      { isDrained: true, isProbed: false },
    ),
  ).toEqual([DRAINED, DRAINED, LAST_GOOD, DRAINED]);
});
