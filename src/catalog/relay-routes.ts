import type { Region, Relay } from './relay.ts';
import { Condition, RelayConditions } from './relay-condition.ts';
import { fillOrder, orderBase, orderLength } from './relay-order.ts';

/** Steering of a region without a healthy relay: keep the last good ones, or resolve as usual. */
export type AllDown = 'last-good' | 'plain';

/** Input of the routes. */
export interface RouteModel {
  readonly regions: readonly Region[];
  readonly relays: readonly Relay[];
  /** Group ids by number; null for 0. */
  readonly groups: readonly (string | null)[];
  readonly allDown: AllDown;
}

/** No list: resolve as usual. */
export const NO_LIST = 0xffff;
/** Orders take 16 KiB a list, so these take 64 MiB. */
export const MAX_LISTS = 4096;
/** Families that an account has registered: none, IPv4, IPv6, both. */
const FAMILY_SETS = 4;
const FAMILIES = [4, 6] as const;

/**
 * Names of a group in a region. Every region has a list for group 0; other groups have one where a relay
 * serves them.
 */
interface RelayList {
  readonly region: number;
  readonly group: number;
}

/** Relays of a list that are given out for one family. */
interface Choice {
  readonly relays: readonly number[];
  /** True if there are none only because none is healthy. */
  readonly isDead: boolean;
}

/** The lists that a model needs. */
export function listsOf({ regions, relays, groups }: Omit<RouteModel, 'allDown'>): RelayList[] {
  return regions.flatMap(({ relays: indexes }, region) =>
    groups.flatMap((id, group) => {
      const hasList = id === null || indexes.some((index) => relays[index].group === id);
      return hasList ? [{ region, group }] : [];
    }),
  );
}

/** Index in `lists` of the entry of a region and group, for accounts with this set of families. */
export function listSlot(region: number, group: number, groupCount: number, familySet: number): number {
  return (region * groupCount + group) * FAMILY_SETS + familySet;
}

/**
 * Relays for the names of each region and group, in shared memory. Immutable: new conditions make new routes,
 * so no reader sees half of them.
 */
export class RelayRoutes {
  /** Uint16 relay indexes; layout in relay-order.ts. */
  readonly orders: SharedArrayBuffer;
  /** Uint16 indexes of lists in `orders`, or NO_LIST; see listSlot. */
  readonly lists: SharedArrayBuffer;
  readonly groupCount: number;
  private readonly model: RouteModel;
  private readonly listed: readonly RelayList[];
  /** Two a list: IPv4, IPv6. */
  private readonly choices: readonly Choice[];

  private constructor(model: RouteModel, conditions: RelayConditions, before: RelayRoutes | null) {
    const listed = before?.listed ?? listsOf(model);
    this.model = model;
    this.listed = listed;
    this.groupCount = model.groups.length;
    this.choices = listed.flatMap((list) =>
      FAMILIES.map((family) => choose(model, list, family, conditions)),
    );
    this.orders = new SharedArrayBuffer(orderLength(listed.length) * 2);
    this.fillOrders(before);
    this.lists = new SharedArrayBuffer(model.regions.length * this.groupCount * FAMILY_SETS * 2);
    this.fillLists();
  }

  static build(model: RouteModel): RelayRoutes {
    return new RelayRoutes(model, new RelayConditions(model.relays.length), null);
  }

  withConditions(conditions: RelayConditions): RelayRoutes {
    return new RelayRoutes(this.model, conditions, this);
  }

  /** Relay indexes for the names of a group by one family. */
  given(region: number, group: number, family: 4 | 6): readonly number[] {
    return this.choiceOf(this.listFor(region, group), family).relays;
  }

  /** True if a group's names resolve as usual in a region, for accounts with these families. */
  isPlain(region: number, group: number, familySet: number): boolean {
    const place = listSlot(region, group, this.groupCount, familySet);
    return new Uint16Array(this.lists)[place] === NO_LIST;
  }

  private choiceOf(list: number, family: 4 | 6): Choice {
    return this.choices[list * 2 + (family === 6 ? 1 : 0)];
  }

  private listFor(region: number, group: number): number {
    const own = this.listed.findIndex((list) => list.region === region && list.group === group);
    return own >= 0 ? own : this.listed.findIndex((list) => list.region === region && list.group === 0);
  }

  /** Copies the orders that have not changed, because ordering many relays is slow. */
  private fillOrders(before: RelayRoutes | null): void {
    const orders = new Uint16Array(this.orders);
    const old = before === null ? null : new Uint16Array(before.orders);
    for (const list of this.listed.keys()) {
      for (const family of FAMILIES) {
        const { relays } = this.choiceOf(list, family);
        if (old !== null && relays.join() === before!.choiceOf(list, family).relays.join()) {
          const start = orderBase(list, family, 0);
          orders.set(old.subarray(start, start + orderLength(1) / 2), start);
        } else fillOrder(this.model.relays, relays, orders, list, family);
      }
    }
  }

  private fillLists(): void {
    const lists = new Uint16Array(this.lists);
    for (const region of this.model.regions.keys()) {
      for (let group = 0; group < this.groupCount; group++) {
        const list = this.listFor(region, group);
        for (let familySet = 0; familySet < FAMILY_SETS; familySet++) {
          const families = FAMILIES.filter((family) => (familySet & (family === 4 ? 1 : 2)) !== 0);
          const choices = families.map((family) => this.choiceOf(list, family));
          const isPlain =
            choices.some(({ isDead }) => isDead) && choices.every(({ relays }) => relays.length === 0);
          lists[listSlot(region, group, this.groupCount, familySet)] = isPlain ? NO_LIST : list;
        }
      }
    }
  }
}

/**
 * Chooses the relays of a list for one family: those of its group that are up, else those without a group,
 * else any of the region. With none up, the last good ones, if configured. A group whose relays have no
 * address of the family gets none: sharing an address in one family would undo the group in the other.
 */
function choose(
  model: RouteModel,
  { region, group }: RelayList,
  family: 4 | 6,
  conditions: RelayConditions,
): Choice {
  const { relays, allDown } = model;
  const usable = model.regions[region].relays.filter((index) => relays[index].weight > 0);
  const has = (index: number, by: 4 | 6) =>
    (by === 4 ? relays[index].address4 : relays[index].address6) !== null;
  const isDrained = (index: number) =>
    FAMILIES.every((by) => !has(index, by) || conditions.of(index, by) === Condition.DRAINED);
  const own = group === 0 ? [] : usable.filter((index) => relays[index].group === model.groups[group]);
  const ungrouped = usable.filter((index) => relays[index].group === null);
  const tiers = [own, ungrouped, usable].filter((tier) => !tier.every(isDrained));
  for (const wanted of allDown === 'last-good' ? [Condition.UP, Condition.LAST_GOOD] : [Condition.UP]) {
    for (const tier of tiers) {
      const ofFamily = tier.filter((index) => has(index, family));
      if (ofFamily.length === 0) return { relays: [], isDead: false };
      const found = ofFamily.filter((index) => conditions.of(index, family) === wanted);
      if (found.length > 0) return { relays: found, isDead: false };
    }
  }
  return { relays: [], isDead: usable.some((index) => has(index, family)) };
}
