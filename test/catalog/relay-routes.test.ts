import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AllDown, RegionOptions, RelayRoutes } from '../../src/catalog/index.ts';
import { buildCatalog, Condition, RelayConditions } from '../../src/catalog/index.ts';
import { BUCKETS, MAX_RELAYS_PER_ANSWER, NO_RELAY, orderBase } from '../../src/catalog/relay-order.ts';
import { listPlace, NO_LIST } from '../../src/catalog/relay-routes.ts';
import { service } from './support.ts';

const SERVICES = [
  service('films', { names: ['films.example'] }),
  service('series', { names: ['series.example'] }),
];
const GROUPS = { one: ['films'], two: ['www.series.example'] };
const [NONE, ONE, TWO] = [0, 1, 2];
const BOTH = 3;

function routesOf(regions: RegionOptions, allDown: AllDown = 'last-good'): RelayRoutes {
  const { catalog, faults } = buildCatalog({
    ...{
      services: SERVICES,
      regions,
      defaultRegion: Object.keys(regions)[0]!,
      seed: 1,
      groups: GROUPS,
      allDown,
    },
  });
  if (catalog === null) throw new TypeError(JSON.stringify(faults));
  return catalog.routes;
}

/** Conditions by relay: one of each family, or one of both. */
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

/** What a list gives in its buckets' orders: must be what `given` says. */
function ordered(routes: RelayRoutes, region: number, group: number, family: 4 | 6): number[] {
  const orders = new Uint16Array(routes.orders);
  const list = new Uint16Array(routes.lists)[listPlace(region, group, routes.groupCount, BOTH)];
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

  it('give way to those without a group when they are down or drained, and then to any that is up', () => {
    const down = routes.withConditions(conditions(UP, DOWN, DRAINED, UP));
    expect(down.given(0, ONE, 4)).toEqual([0, 3]);
    const others = routes.withConditions(conditions(DOWN, UP, DOWN, DRAINED));
    expect(others.given(0, NONE, 4)).toEqual([1]);
    expect(others.given(0, TWO, 6)).toEqual([1]);
    expect(ordered(others, 0, TWO, 6)).toEqual([1]);
  });

  it('serve all names where a region has no others', () => {
    const only = routesOf({ us: { relays: [four(1, { group: 'one' }), four(2, { group: 'two' })] } });
    expect(only.given(0, NONE, 4)).toEqual([0, 1]);
    expect(only.given(0, TWO, 4)).toEqual([1]);
  });

  it('of weight 0 count as none', () => {
    const idle = routesOf({ us: { relays: [four(1), four(2, { group: 'one', weight: 0 })] } });
    expect(idle.given(0, ONE, 4)).toEqual([0]);
  });

  it('without IPv6 leave AAAA empty, rather than handle an address in that family', () => {
    const mixed = routesOf({
      us: { relays: [dual(1), four(2, { group: 'one' }), six(3, { group: 'two' })] },
    });
    expect([mixed.given(0, ONE, 4), mixed.given(0, ONE, 6)]).toEqual([[1], []]);
    expect([mixed.given(0, TWO, 4), mixed.given(0, TWO, 6)]).toEqual([[], [2]]);
    for (const families of [0, 1, 2, 3]) expect(mixed.isPlain(0, ONE, families)).toBe(false);
    // Once drained, they are no relays of the group any more.
    const drained = mixed.withConditions(conditions(UP, [DRAINED, UP], UP));
    expect([drained.given(0, ONE, 4), drained.given(0, ONE, 6)]).toEqual([[0], [0]]);
  });

  it('are those of the region', () => {
    const two = routesOf({
      us: { relays: [four(1), four(2, { group: 'one' })] },
      gb: { relays: [four(3)] },
    });
    expect([two.given(0, ONE, 4), two.given(1, ONE, 4)]).toEqual([[1], [2]]);
    expect(ordered(two, 1, ONE, 4)).toEqual([2]);
  });
});

describe('where no relay of a region is up', () => {
  const regions = { us: { relays: [dual(1), dual(2), dual(3)] }, gb: { relays: [dual(4)] } };

  it('the last good ones stay, if the operator wants that', () => {
    const routes = routesOf(regions).withConditions(conditions(LAST_GOOD, DOWN, LAST_GOOD, UP));
    expect(routes.given(0, NONE, 4)).toEqual([0, 2]);
    expect(routes.isPlain(0, NONE, BOTH)).toBe(false);
  });

  it('one that is up is the only one', () => {
    const routes = routesOf(regions).withConditions(conditions(LAST_GOOD, UP, LAST_GOOD, UP));
    expect(routes.given(0, NONE, 6)).toEqual([1]);
  });

  it('one that is drained is never given, and names resolve as usual where all are', () => {
    const some = routesOf(regions).withConditions(conditions(DRAINED, LAST_GOOD, DRAINED, UP));
    expect(some.given(0, NONE, 4)).toEqual([1]);
    const all = routesOf(regions).withConditions(conditions(DRAINED, DRAINED, DRAINED, UP));
    for (const families of [1, 2, 3]) expect(all.isPlain(0, NONE, families)).toBe(true);
    expect(all.isPlain(1, NONE, BOTH)).toBe(false);
  });

  it('names resolve as usual, if the operator wants that, for accounts that no family is left of', () => {
    const routes = routesOf(regions, 'plain');
    const down = routes.withConditions(conditions(LAST_GOOD, DOWN, LAST_GOOD, UP));
    for (const families of [1, 2, 3]) expect(down.isPlain(0, NONE, families)).toBe(true);
    const by6 = routes.withConditions(conditions([LAST_GOOD, UP], DOWN, DOWN, UP));
    expect([1, 2, 3].map((families) => by6.isPlain(0, NONE, families))).toEqual([true, false, false]);
    expect([by6.given(0, NONE, 4), by6.given(0, NONE, 6)]).toEqual([[], [0]]);
  });

  it('a relay that is drained counts in its family, as one that is down does', () => {
    const routes = routesOf({ us: { relays: [four(1), six(2)] } }, 'plain');
    for (const condition of [DRAINED, DOWN]) {
      const without = routes.withConditions(conditions(UP, condition));
      expect([without.given(0, NONE, 4), without.given(0, NONE, 6)]).toEqual([[0], []]);
      expect([1, 2, 3].map((families) => without.isPlain(0, NONE, families))).toEqual([false, true, false]);
    }
  });

  it('a family that no relay has is not resolved as usual', () => {
    const routes = routesOf({ us: { relays: [four(1)] } }, 'plain');
    expect([1, 2, 3].map((families) => routes.isPlain(0, NONE, families))).toEqual([false, false, false]);
    const down = routes.withConditions(conditions(DOWN));
    expect([1, 2, 3].map((families) => down.isPlain(0, NONE, families))).toEqual([true, false, true]);
  });
});

describe('when relays come and go', () => {
  it('only the homes of those move, by weight, in every group', () => {
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
        // Another tier stands in for the whole group: its homes all move.
        if (!given.some((index) => wholeTier.includes(index))) return;
        const [before, after] = [all, some].map((routes) => new Uint16Array(routes.orders));
        const list = new Uint16Array(all.lists)[listPlace(0, group, all.groupCount, BOTH)];
        for (let bucket = 0; bucket < BUCKETS; bucket += 7) {
          const base = orderBase(list, 4, bucket);
          const left = [...before!.subarray(base, base + 4)].filter((index) => given.includes(index));
          expect([...after!.subarray(base, base + 4)].slice(0, left.length)).toEqual(left);
        }
      },
    );
    fc.assert(property, { numRuns: 40 });
  });

  it('orders that are the same again are copied, and all are where they were once all are back', () => {
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
