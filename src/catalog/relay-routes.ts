import type { Region, Relay } from './relay.ts';
import { Condition, RelayConditions } from './relay-condition.ts';
import { fillOrder, orderBase, orderLength } from './relay-order.ts';

/** What becomes of a region's names when none of its relays is up. */
export type AllDown = 'last-good' | 'plain';

/** What routes are made of. */
export interface RouteModel {
  readonly regions: readonly Region[];
  readonly relays: readonly Relay[];
  /** Ids of groups by number; null for 0. */
  readonly groups: readonly (string | null)[];
  readonly allDown: AllDown;
}

/** Stands for a list where there is none: such names resolve as usual. */
export const NO_LIST = 0xffff;
/** An order of all buckets takes 16 KiB a list: this many take 64 MiB. */
export const MAX_LISTS = 4096;
/** What an account may have registered: neither family, IPv4, IPv6, both. */
const FAMILY_SETS = 4;
const FAMILIES = [4, 6] as const;

/** The names of a group in a region; every region has a list for group 0, others if a relay there has the group. */
interface RelayList {
  readonly region: number;
  readonly group: number;
}

/** The relays of a list that are given by one family. */
interface Choice {
  readonly relays: readonly number[];
  /** Whether there are none, though there would be if they were up. */
  readonly isDead: boolean;
}

/** The lists that a model takes. */
export function listsOf({ regions, relays, groups }: Omit<RouteModel, 'allDown'>): RelayList[] {
  return regions.flatMap(({ relays: indexes }, region) =>
    groups.flatMap((id, group) => {
      const hasList = id === null || indexes.some((index) => relays[index].group === id);
      return hasList ? [{ region, group }] : [];
    }),
  );
}

/** Index in `lists` of a region's and group's entry for an account that has registered the families of the set. */
export function listPlace(region: number, group: number, groupCount: number, familySet: number): number {
  return (region * groupCount + group) * FAMILY_SETS + familySet;
}

/**
 * Which relays the names of each region and group are led to, in shared memory. It never changes: other conditions
 * make other routes, so that no reader sees half of them.
 */
export class RelayRoutes {
  /** Uint16 relay indexes; relay-order.ts has the layout. */
  readonly orders: SharedArrayBuffer;
  /** Uint16 indexes of lists in `orders`, or NO_LIST; see listPlace. */
  readonly lists: SharedArrayBuffer;
  readonly groupCount: number;
  private readonly model: RouteModel;
  private readonly listed: readonly RelayList[];
  /** Two a list: of IPv4 and of IPv6. */
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

  /** Indexes of the relays that the names of a group are led to by one family; see listPlace. */
  given(region: number, group: number, family: 4 | 6): readonly number[] {
    return this.choiceOf(this.listFor(region, group), family).relays;
  }

  /** Whether the names of a group resolve as usual in a region for accounts with these families. */
  isPlain(region: number, group: number, familySet: number): boolean {
    const place = listPlace(region, group, this.groupCount, familySet);
    return new Uint16Array(this.lists)[place] === NO_LIST;
  }

  private choiceOf(list: number, family: 4 | 6): Choice {
    return this.choices[list * 2 + (family === 6 ? 1 : 0)];
  }

  private listFor(region: number, group: number): number {
    const own = this.listed.findIndex((list) => list.region === region && list.group === group);
    return own >= 0 ? own : this.listed.findIndex((list) => list.region === region && list.group === 0);
  }

  /** What has not changed is copied: to order many relays takes a while. */
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
          lists[listPlace(region, group, this.groupCount, familySet)] = isPlain ? NO_LIST : list;
        }
      }
    }
  }
}

/**
 * The relays of a list by one family: those of its group that are up, else those of the region without a group, else
 * any of the region; and where none is up, those that were until the last, if the operator wants them kept. A group
 * whose relays have no address of the family gets none: a family in which its names shared an address with others would
 * undo the group in the other one.
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
