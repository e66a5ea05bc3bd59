import { describe, expect, it } from 'vitest';
import type { Relay } from '../../src/catalog/relay.ts';
import {
  BUCKETS,
  fillOrder,
  MAX_RELAYS_PER_ANSWER,
  NO_RELAY,
  orderBase,
  orderLength,
} from '../../src/catalog/relay-order.ts';

function relay(last: number, parts: Partial<Relay> = {}): Relay {
  const address4 = Uint8Array.of(192, 0, 2, last);
  return { region: 'us', address4, address6: null, weight: 1, group: null, ...parts };
}

/** The order of each bucket, as last bytes of the relays' IPv4 addresses. */
function orders(relays: Relay[], family: 4 | 6 = 4): number[][] {
  const all = new Uint16Array(orderLength(1));
  const chosen = [...relays.keys()].filter((index) => {
    const { address4, address6, weight } = relays[index]!;
    return weight > 0 && (family === 4 ? address4 : address6) !== null;
  });
  fillOrder(relays, chosen, all, 0, family);
  return Array.from({ length: BUCKETS }, (_, bucket) => {
    const base = orderBase(0, family, bucket);
    const entries = [...all.subarray(base, base + MAX_RELAYS_PER_ANSWER)];
    const end = entries.indexOf(NO_RELAY);
    return (end === -1 ? entries : entries.slice(0, end)).map(
      (index) => relays[index]?.address4?.[3] ?? index,
    );
  });
}

describe('an order of relays', () => {
  it('names each relay once, four at most', () => {
    for (const order of orders([1, 2, 3, 4, 5, 6].map((last) => relay(last)))) {
      expect(order).toHaveLength(4);
      expect(new Set(order).size).toBe(4);
    }
    for (const order of orders([relay(1), relay(2)])) expect(order.toSorted()).toEqual([1, 2]);
  });

  it('puts relays first in proportion to their weights', () => {
    const firsts = orders([relay(1, { weight: 1 }), relay(2, { weight: 3 })]).map((order) => order[0]);
    const handle = firsts.filter((last) => last === 2).length / BUCKETS;
    expect(handle).toBeGreaterThan(0.7);
    expect(handle).toBeLessThan(0.8);
  });

  it('never names a relay of weight 0', () => {
    expect(orders([relay(1), relay(2, { weight: 0 })]).every((order) => order.join() === '1')).toBe(true);
  });

  it('does not change for the others when a relay goes', () => {
    const before = orders([relay(1), relay(2), relay(3), relay(4)]);
    const after = orders([relay(1), relay(2), relay(4)]);
    for (const [bucket, order] of before.entries()) {
      expect(after[bucket]).toEqual(order.filter((last) => last !== 3));
    }
  });

  it('does not depend on the order in the configuration', () => {
    expect(orders([relay(3), relay(1), relay(2)])).toEqual(orders([relay(1), relay(2), relay(3)]));
  });

  it('is the same for both families, and names no relay without an address of the family', () => {
    const address6 = new Uint8Array(16).fill(1);
    const relays = [
      relay(0, { address6 }),
      relay(1),
      relay(2, { address6 }),
      relay(9, { address4: null, address6 }),
    ];
    const by4 = orders(relays, 4);
    for (const [bucket, order] of orders(relays, 6).entries()) {
      expect(order.toSorted()).toEqual([0, 2, 3]);
      expect(by4[bucket]?.toSorted()).toEqual([0, 1, 2]);
      expect(order.filter((index) => index !== 3)).toEqual(by4[bucket]?.filter((index) => index !== 1));
    }
  });
});
