import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AllDown, RegionOptions, RelayRoutes } from '../../src/catalog/index.ts';
import { buildCatalog, Condition, RelayConditions } from '../../src/catalog/index.ts';
import { BUCKETS, MAX_RELAYS_PER_ANSWER, NO_RELAY, orderBase } from '../../src/catalog/relay-order.ts';
import { listSlot, NO_LIST } from '../../src/catalog/relay-routes.ts';
import { service } from './support.ts';

const SERVICES = [
  service('films', { names: ['films.example'] }),
  service('series', { names: ['series.example'] }),
];
const GROUPS = { one: ['films'], two: ['www.series.example'] };
const [NONE, ONE, TWO] = [0, 1, 2];
const BOTH = 3;

function routesOf(regions: RegionOptions, allDown: AllDown = 'last-good'): RelayRoutes {
  const { catalog, findings } = buildCatalog({
    ...{
      services: SERVICES,
      regions,
      defaultRegion: Object.keys(regions)[0]!,
      seed: 1,
      groups: GROUPS,
      allDown,
    },
  });
  if (catalog === null) throw new TypeError(JSON.stringify(findings));
  return catalog.routes;
}

/** Conditions by relay: one for each family, or one for both. */
function conditions(...list: (Condition | [Condition, Condition])[]): RelayConditions {
  const made = new RelayConditions(list.length);
  for (const [relay, condition] of list.entries()) {
    const [by4, by6] = typeof condition === 'number' ? [condition, condition] : condition;
    made.set(relay, 4, by4);
    made.set(relay, 6, by6);
  }
  return made;
}

const { UP, LAST_GOOD, DOWN, DRAINED } = Condition;
const four = (last: number, more: object = {}) => ({ address: `192.0.2.${last}`, ...more });
const dual = (last: number, more: object = {}) => ({ ...four(last), address6: `2001:db8::${last}`, ...more });
const six = (last: number, more: object = {}) => ({ address6: `2001:db8::${last}`, ...more });

/** Relays in the orders of a list's buckets; must equal `given`. */
function ordered(routes: RelayRoutes, region: number, group: number, family: 4 | 6): number[] {
  const orders = new Uint16Array(routes.orders);
  const list = new Uint16Array(routes.lists)[listSlot(region, group, routes.groupCount, BOTH)];
  const found = new Set<number>();
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const base = orderBase(list, family, bucket);
    for (const relay of orders.subarray(base, base + MAX_RELAYS_PER_ANSWER)) found.add(relay);
  }
  found.delete(NO_RELAY);
  return [...found].sort((a, b) => a - b);
}

describe('the relays of a group', () => {
  const routes = routesOf({
    us: { relays: [dual(1), dual(2, { group: 'one' }), dual(3, { group: 'one' }), dual(4)] },
  });

  it('serve its names alone, and the others all other names', () => {
    expect(routes.given(0, NONE, 4)).toEqual([0, 3]);
    expect(routes.given(0, ONE, 4)).toEqual([1, 2]);
    expect(routes.given(0, TWO, 4)).toEqual([0, 3]);
    for (const group of [NONE, ONE, TWO]) {
      for (const family of [4, 6] as const) {
        expect(ordered(routes, 0, group, family)).toEqual(routes.given(0, group, family));
      }
    }
  });

  it('give way to those without a group when they are down or drained, then to any that is up', () => {
    const down = routes.withConditions(conditions(UP, DOWN, DRAINED, UP));
    expect(down.given(0, ONE, 4)).toEqual([0, 3]);
    const others = routes.withConditions(conditions(DOWN, UP, DOWN, DRAINED));
    expect(others.given(0, NONE, 4)).toEqual([1]);
    expect(others.given(0, TWO, 6)).toEqual([1]);
    expect(ordered(others, 0, TWO, 6)).toEqual([1]);
  });

  it('serve all names if a region has no others', () => {
    const only = routesOf({ us: { relays: [four(1, { group: 'one' }), four(2, { group: 'two' })] } });
    expect(only.given(0, NONE, 4)).toEqual([0, 1]);
    expect(only.given(0, TWO, 4)).toEqual([1]);
  });

  it('count only with a weight above 0', () => {
    const idle = routesOf({ us: { relays: [four(1), four(2, { group: 'one', weight: 0 })] } });
    expect(idle.given(0, ONE, 4)).toEqual([0]);
  });

  it('leave AAAA empty without IPv6, rather than share an address in that family', () => {
    const mixed = routesOf({
      us: { relays: [dual(1), four(2, { group: 'one' }), six(3, { group: 'two' })] },
    });
    expect([mixed.given(0, ONE, 4), mixed.given(0, ONE, 6)]).toEqual([[1], []]);
    expect([mixed.given(0, TWO, 4), mixed.given(0, TWO, 6)]).toEqual([[], [2]]);
    for (const families of [0, 1, 2, 3]) expect(mixed.isPlain(0, ONE, families)).toBe(false);
    // Drained relays do not count as relays of the group.
    const drained = mixed.withConditions(conditions(UP, [DRAINED, UP], UP));
    expect([drained.given(0, ONE, 4), drained.given(0, ONE, 6)]).toEqual([[0], [0]]);
  });

  it('fall back to those of the region', () => {
    const two = routesOf({
      us: { relays: [four(1), four(2, { group: 'one' })] },
      gb: { relays: [four(3)] },
    });
    expect([two.given(0, ONE, 4), two.given(1, ONE, 4)]).toEqual([[1], [2]]);
    expect(ordered(two, 1, ONE, 4)).toEqual([2]);
  });
});

describe('with no relay of a region up', () => {
  const regions = { us: { relays: [dual(1), dual(2), dual(3)] }, gb: { relays: [dual(4)] } };

  it('keeps the last good ones, if configured', () => {
    const routes = routesOf(regions).withConditions(conditions(LAST_GOOD, DOWN, LAST_GOOD, UP));
    expect(routes.given(0, NONE, 4)).toEqual([0, 2]);
    expect(routes.isPlain(0, NONE, BOTH)).toBe(false);
  });

  it('gives only the one that is up', () => {
    const routes = routesOf(regions).withConditions(conditions(LAST_GOOD, UP, LAST_GOOD, UP));
    expect(routes.given(0, NONE, 6)).toEqual([1]);
  });

  it('never gives a drained one, and resolves as usual if all are drained', () => {
    const some = routesOf(regions).withConditions(conditions(DRAINED, LAST_GOOD, DRAINED, UP));
    expect(some.given(0, NONE, 4)).toEqual([1]);
    const all = routesOf(regions).withConditions(conditions(DRAINED, DRAINED, DRAINED, UP));
    for (const families of [1, 2, 3]) expect(all.isPlain(0, NONE, families)).toBe(true);
    expect(all.isPlain(1, NONE, BOTH)).toBe(false);
  });

  it('resolves as usual, if configured, for accounts without a healthy family', () => {
    const routes = routesOf(regions, 'plain');
    const down = routes.withConditions(conditions(LAST_GOOD, DOWN, LAST_GOOD, UP));
    for (const families of [1, 2, 3]) expect(down.isPlain(0, NONE, families)).toBe(true);
    const by6 = routes.withConditions(conditions([LAST_GOOD, UP], DOWN, DOWN, UP));
    expect([1, 2, 3].map((families) => by6.isPlain(0, NONE, families))).toEqual([true, false, false]);
    expect([by6.given(0, NONE, 4), by6.given(0, NONE, 6)]).toEqual([[], [0]]);
  });

  it('counts a drained relay in its family, like one that is down', () => {
    const routes = routesOf({ us: { relays: [four(1), six(2)] } }, 'plain');
    for (const condition of [DRAINED, DOWN]) {
      const without = routes.withConditions(conditions(UP, condition));
      expect([without.given(0, NONE, 4), without.given(0, NONE, 6)]).toEqual([[0], []]);
      expect([1, 2, 3].map((families) => without.isPlain(0, NONE, families))).toEqual([false, true, false]);
    }
  });

  it('does not resolve as usual in a family that no relay has', () => {
    const routes = routesOf({ us: { relays: [four(1)] } }, 'plain');
    expect([1, 2, 3].map((families) => routes.isPlain(0, NONE, families))).toEqual([false, false, false]);
    const down = routes.withConditions(conditions(DOWN));
    expect([1, 2, 3].map((families) => down.isPlain(0, NONE, families))).toEqual([true, false, true]);
  });
});

describe('when relays come and go', () => {
  it('moves only their homes, by weight, in every group', () => {
    const relay = fc.record({
      weight: fc.integer({ min: 1, max: 5 }),
      group: fc.constantFrom(null, 'one', 'two'),
    });
    const property = fc.property(
      fc.array(relay, { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.constantFrom(UP, UP, DOWN)),
      fc.constantFrom(NONE, ONE, TWO),
      (relays, stream, group) => {
        const all = routesOf(
          { us: { relays: relays.map((options, index) => dual(index + 1, options)) } },
          'plain',
        );
        const some = all.withConditions(conditions(...relays.map(() => stream.next().value as Condition)));
        const given = some.given(0, group, 4);
        const wholeTier = all.given(0, group, 4);
        // Another tier replaces the whole group, so all its homes move.
        if (!given.some((index) => wholeTier.includes(index))) return;
        const [before, after] = [all, some].map((routes) => new Uint16Array(routes.orders));
        const list = new Uint16Array(all.lists)[listSlot(0, group, all.groupCount, BOTH)];
        for (let bucket = 0; bucket < BUCKETS; bucket += 7) {
          const base = orderBase(list, 4, bucket);
          const left = [...before!.subarray(base, base + 4)].filter((index) => given.includes(index));
          expect([...after!.subarray(base, base + 4)].slice(0, left.length)).toEqual(left);
        }
      },
    );
    fc.assert(property, { numRuns: 40 });
  });

  it('copies unchanged orders, and restores all once all relays are back', () => {
    const routes = routesOf({ us: { relays: [dual(1), dual(2)] }, gb: { relays: [dual(3)] } });
    const down = routes.withConditions(conditions(UP, DOWN, UP));
    expect(ordered(down, 0, NONE, 4)).toEqual([0]);
    expect(ordered(down, 1, NONE, 6)).toEqual([2]);
    const back = down.withConditions(conditions(UP, UP, UP));
    expect(new Uint16Array(back.orders)).toEqual(new Uint16Array(routes.orders));
    expect(new Uint16Array(back.lists)).toEqual(new Uint16Array(routes.lists));
    expect(new Uint16Array(back.lists)).not.toContain(NO_LIST);
  });
});
