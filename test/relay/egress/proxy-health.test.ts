import { describe, expect, it } from 'vitest';
import { EgressOutcome } from '../../../src/relay/egress/egress-outcome.ts';
import { ProxyHealth } from '../../../src/relay/egress/proxy-health.ts';

const { CONNECTED, UNREACHABLE, TIMEOUT, CREDENTIALS, FORBIDDEN, ORIGIN, FAILED } = EgressOutcome;

/** A pool with all proxies up, and one success each. */
function pool(count: number): ProxyHealth {
  const health = new ProxyHealth(count);
  for (let proxy = 0; proxy < count; proxy++) {
    health.probed(proxy, true);
    health.note(proxy, CONNECTED);
  }
  return health;
}

describe('the proxies of a pool', () => {
  it('are used round robin over all threads', () => {
    const health = pool(3);
    const other = new ProxyHealth(3, health.memory);
    const first = [health, other, health, other, health, other].map((each) => each.order()[0]);
    expect(first.toSorted()).toEqual([0, 0, 1, 1, 2, 2]);
  });

  it.each([
    ['UNREACHABLE', UNREACHABLE],
    ['TIMEOUT', TIMEOUT],
    ['CREDENTIALS', CREDENTIALS],
    ['FAILED', FAILED],
  ])('are taken out by three consecutive failures: %s', (_, outcome) => {
    const health = pool(2);
    health.note(1, outcome);
    health.note(1, outcome);
    health.note(1, CONNECTED);
    health.note(1, outcome);
    health.note(1, outcome);
    expect(health.isUp(1)).toBe(true);
    health.note(1, outcome);
    expect(health.isUp(1)).toBe(false);
    expect(health.isUp(0)).toBe(true);
    expect(health.outcome(1, outcome)).toBe(5);
  });

  it('stay in when an origin is dead or forbidden', () => {
    const health = pool(1);
    for (let i = 0; i < 10; i++) {
      health.note(0, ORIGIN);
      health.note(0, FORBIDDEN);
      health.note(0, TIMEOUT, false);
    }
    expect(health.isUp(0)).toBe(true);
  });

  it('come last, round robin, while they are down', () => {
    const health = pool(4);
    health.probed(1, false);
    health.probed(3, false);
    const orders = Array.from({ length: 4 }, () => health.order());
    for (const order of orders) {
      expect(order.slice(0, 2).toSorted()).toEqual([0, 2]);
      expect(order.slice(2).toSorted()).toEqual([1, 3]);
    }
    // Healthy proxies share evenly, whatever lies between them.
    expect(orders.map(([first]) => first).toSorted()).toEqual([0, 0, 2, 2]);
    health.probed(0, false);
    health.probed(2, false);
    expect(health.order().toSorted()).toEqual([0, 1, 2, 3]);
  });

  it('come back by a probe, and go at the next failure', () => {
    const health = pool(1);
    health.probed(0, false);
    expect(health.isUp(0)).toBe(false);
    health.probed(0, true);
    expect(health.isUp(0)).toBe(true);
    health.note(0, FAILED);
    expect(health.isUp(0)).toBe(false);
  });

  it('come back by a success as the last resort', () => {
    const health = pool(1);
    health.probed(0, false);
    health.note(0, CONNECTED);
    expect(health.isUp(0)).toBe(true);
  });
});
