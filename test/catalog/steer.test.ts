import { describe, expect, it } from 'vitest';
import type { CatalogTables, RegionOptions, Service, SteeringProfile } from '../../src/catalog/index.ts';
import {
  buildCatalog,
  CatalogView,
  Condition,
  NO_LIST,
  NO_REGION,
  NO_RELAY,
  RelayConditions,
  Steering,
} from '../../src/catalog/index.ts';
import { question, service } from './support.ts';

const SEED = 77;
const REGIONS: RegionOptions = {
  us: { relays: [{ address: '192.0.2.10', address6: '2001:db8::10' }, { address: '192.0.2.11' }] },
  gb: { relays: [{ address: '192.0.2.20' }] },
  de: { relays: [{ address: '192.0.2.30', weight: 0 }] },
};
const NETFLIX = service('netflix', { names: ['netflix.com'], regions: ['us', 'gb', 'de'] });
const BBC = service('bbc', { names: ['bbc.co.uk'], regions: ['gb'] });
const ZDF = service('zdf', { names: ['zdf.de'], regions: ['de', 'fr'] });
const US = 0;
const GB = 1;

function build(services: Service[] = [NETFLIX, BBC, ZDF]): CatalogTables {
  const { catalog } = buildCatalog({ services, regions: REGIONS, defaultRegion: 'us', seed: SEED });
  if (catalog === null) throw new TypeError('the catalog of the test is at finding');
  return catalog;
}

function profile(parts: Partial<SteeringProfile> = {}): SteeringProfile {
  return { region: 'us', services: {}, ipv4: true, ipv6: false, ...parts };
}

describe('the region that a profile gets for a service', () => {
  it.each<[string, Partial<SteeringProfile>, number, number]>([
    ["the account's, if the service lists it", { region: 'gb' }, 0, GB],
    ['the first listed with relays, if it does not', { region: 'us' }, 1, GB],
    ["the first listed with relays, if the account's has none", { region: 'de' }, 0, US],
    ["the first listed with relays, if the account's is not configured", { region: 'xx' }, 0, US],
    ['the one chosen for the service', { services: { netflix: 'gb' } }, 0, GB],
    ["the account's, if the chosen one is not listed", { region: 'gb', services: { netflix: 'jp' } }, 0, GB],
    ["the account's, if the chosen one has no relays", { region: 'gb', services: { netflix: 'de' } }, 0, GB],
    ['none, if it is off', { services: { netflix: 'off' } }, 0, NO_REGION],
    ['none, if no listed region has relays', {}, 2, NO_REGION],
    ['not moved by services that are not in the catalog', { services: { other: 'gb' } }, 0, US],
  ])('is %s', (_, parts, asked, expected) => {
    const steering = new Steering(build());
    steering.setProfile(7, profile(parts));
    expect(new CatalogView(steering.handle()).region(7, asked)).toBe(expected);
  });

  it('is the same for an address that was told, and the view says that it was', () => {
    const steering = new Steering(build());
    steering.setProfile(1, profile({ ipv6: true }));
    steering.setProfile(2, profile({ ipv6: true, told: true }));
    const view = new CatalogView(steering.handle());
    expect([1, 2].map((id) => view.isTold(id))).toEqual([false, true]);
    expect(view.match(question('netflix.com', SEED))).toBe(0);
    expect(view.list(2, 0)).toBe(view.list(1, 0));
    expect([view.allowsIPv4(2), view.allowsIPv6(2)]).toEqual([true, true]);
  });

  it('ignores properties that every object inherits', () => {
    const steering = new Steering(build([service('constructor', { names: ['a.example'] })]));
    steering.setProfile(1, profile());
    expect(new CatalogView(steering.handle()).region(1, 0)).toBe(US);
  });

  it('is none for a profile that was never set', () => {
    const view = new CatalogView(new Steering(build()).handle());
    expect(view.region(0, 0)).toBe(NO_REGION);
    expect(view.region(65_535, 2)).toBe(NO_REGION);
  });
});

it('keeps the families of each profile, up to the last id', () => {
  const steering = new Steering(build());
  const view = new CatalogView(steering.handle());
  steering.setProfile(65_535, profile({ ipv4: false, ipv6: true }));
  steering.setProfile(1, profile());
  expect([view.allowsIPv4(65_535), view.allowsIPv6(65_535)]).toEqual([false, true]);
  expect([view.allowsIPv4(1), view.allowsIPv6(1)]).toEqual([true, false]);
  expect([view.allowsIPv4(2), view.allowsIPv6(2)]).toEqual([false, false]);
  for (const id of [0, 65_536, 1.5]) expect(() => steering.setProfile(id, profile())).toThrow(RangeError);
});

it('gives relays of the region that have an address of the family', () => {
  const view = new CatalogView(new Steering(build()).handle());
  for (const bucket of [0, 500, 1023]) {
    const by4 = view.order(US, 4, bucket);
    expect([...view.orders.subarray(by4, by4 + 4)].toSorted()).toEqual([0, 1, NO_RELAY, NO_RELAY].toSorted());
    const by6 = view.order(US, 6, bucket);
    expect([...view.orders.subarray(by6, by6 + 2)]).toEqual([0, NO_RELAY]);
    expect(view.orders[view.order(GB, 4, bucket)]).toBe(2);
    expect(view.orders[view.order(GB, 6, bucket)]).toBe(NO_RELAY);
    expect(view.orders[view.order(2, 4, bucket)]).toBe(NO_RELAY);
  }
  expect([...view.addresses4.subarray(8, 12)]).toEqual([192, 0, 2, 20]);
  expect(view.addresses6[15]).toBe(0x10);
});

describe('the relays of a name', () => {
  const GROUPED: RegionOptions = {
    us: { relays: [{ address: '192.0.2.10' }, { address: '192.0.2.11', group: 'films' }] },
    gb: { relays: [{ address: '192.0.2.20' }] },
  };
  const options = { services: [NETFLIX, BBC], regions: GROUPED, defaultRegion: 'us', seed: SEED };
  const built = (allDown: 'last-good' | 'plain') =>
    buildCatalog({ ...options, groups: { films: ['api.netflix.com', 'bbc'] }, allDown }).catalog!;

  /** Relay indexes in the answer to a name, or null if it resolves as usual. */
  function relaysOf(view: CatalogView, name: string, id = 1): number[] | null {
    const list = view.list(id, view.match(question(name, SEED)));
    if (list === NO_LIST) return null;
    const first = view.order(list, 4, 5);
    return [...view.orders.subarray(first, first + 4)].filter((relay) => relay !== NO_RELAY);
  }

  it("are its group's in the region, and the region's if the group has none there", () => {
    const steering = new Steering(built('last-good'));
    steering.setProfile(1, profile());
    steering.setProfile(2, profile({ services: { netflix: 'off' } }));
    const view = new CatalogView(steering.handle());
    expect(relaysOf(view, 'www.netflix.com')).toEqual([0]);
    expect(relaysOf(view, 'v1.api.netflix.com')).toEqual([1]);
    expect(relaysOf(view, 'bbc.co.uk')).toEqual([2]);
    expect(relaysOf(view, 'api.netflix.com', 2)).toBeNull();
    expect(relaysOf(view, 'api.netflix.com', 3)).toBeNull();
  });

  it.each(['last-good', 'plain'] as const)('change with their conditions: %s', (allDown) => {
    const steering = new Steering(built(allDown));
    steering.setProfile(1, profile());
    const view = new CatalogView(steering.handle());
    const down = new RelayConditions(3);
    down.set(1, 4, Condition.DOWN);
    down.set(2, 4, Condition.LAST_GOOD);
    view.attach(steering.useConditions(down));
    expect(relaysOf(view, 'api.netflix.com')).toEqual([0]);
    expect(relaysOf(view, 'bbc.co.uk')).toEqual(allDown === 'plain' ? null : [2]);
    steering.setProfile(1, profile({ region: 'gb' }));
    expect(relaysOf(view, 'www.netflix.com')).toEqual(allDown === 'plain' ? null : [2]);
    view.attach(steering.rebuild(built(allDown), down));
    expect(relaysOf(view, 'api.netflix.com')).toEqual(allDown === 'plain' ? null : [2]);
    view.attach(steering.useConditions(new RelayConditions(3)));
    expect(relaysOf(view, 'www.netflix.com')).toEqual([2]);
  });
});

it("are the same in another thread's copy of the handle", () => {
  const steering = new Steering(build());
  const view = new CatalogView(structuredClone(steering.handle()));
  steering.setProfile(3, profile());
  const asked = question('www.bbc.co.uk', SEED);
  expect(view.match(asked)).toBe(1);
  expect(view.matchedLabel).toBe(1);
  expect(view.region(3, view.match(asked))).toBe(GB);
});

describe('another catalog', () => {
  it('has the rows of all live profiles', () => {
    const steering = new Steering(build());
    steering.setProfile(1, profile({ region: 'gb' }));
    steering.setProfile(2, profile());
    steering.dropProfile(2);
    const view = new CatalogView(steering.handle());
    view.attach(steering.rebuild(build([service('new', { names: ['new.example'] }), NETFLIX])));
    expect(view.match(question('netflix.com', SEED))).toBe(1);
    expect(view.match(question('bbc.co.uk', SEED))).toBe(-1);
    expect(view.region(1, 1)).toBe(GB);
    expect(view.region(2, 1)).toBe(NO_REGION);
    expect(steering.profileCount).toBe(1);
  });

  it('still gives new profiles to readers of the old one until all have switched', () => {
    const steering = new Steering(build());
    const behind = new CatalogView(steering.handle());
    steering.rebuild(build([NETFLIX]));
    steering.setProfile(9, profile());
    expect(behind.region(9, 1)).toBe(GB);
    steering.settled();
    steering.setProfile(10, profile());
    expect(behind.region(10, 1)).toBe(NO_REGION);
  });
});
