import { randomFillSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { UpstreamHealth } from '../../src/resolver/health.ts';
import { RandomSource } from '../../src/resolver/random.ts';
import { DEFAULT_TIMEOUTS } from '../../src/resolver/timeouts.ts';

const create = (): UpstreamHealth => new UpstreamHealth(DEFAULT_TIMEOUTS, new RandomSource(randomFillSync));

function measured(...latenciesMs: number[]): UpstreamHealth {
  const health = create();
  for (const latencyMs of latenciesMs) health.replied(0, latencyMs);
  return health;
}

describe('the wait for a try', () => {
  const between = (value: number, low: number, high: number): void => {
    expect(value).toBeGreaterThanOrEqual(low);
    expect(value).toBeLessThanOrEqual(high);
  };

  test('is half of the longest while nothing is measured, with jitter', () => {
    for (let i = 0; i < 100; i++) between(create().patienceMs(0), 675, 825);
  });
  test('follows the latency, within bounds', () => {
    between(measured(...Array(50).fill(2)).patienceMs(0), 225, 275);
    between(measured(...Array(50).fill(500)).patienceMs(0), 450, 560);
    expect(measured(...Array(50).fill(5000)).patienceMs(0)).toBe(1500);
  });
  test('doubles with each round', () => {
    const health = measured(...Array(50).fill(2));
    between(health.patienceMs(1), 450, 550);
    expect(health.patienceMs(9)).toBe(1500);
  });
});

describe('the hedging delay', () => {
  test('is unknown while too little is measured', () => {
    expect(measured(...Array(15).fill(10)).hedgeMs()).toBeNull();
  });
  test('is the time in which 95 of 100 replies came, within bounds', () => {
    const mixed = Array.from({ length: 128 }, (_, index) => (index % 16 === 0 ? 300 : 60));
    expect(measured(...mixed).hedgeMs()).toBe(300);
    const rare = Array.from({ length: 128 }, (_, index) => (index % 64 === 0 ? 300 : 60));
    expect(measured(...rare).hedgeMs()).toBe(60);
    expect(measured(...Array(128).fill(1)).hedgeMs()).toBe(20);
    expect(measured(...Array(128).fill(1400)).hedgeMs()).toBe(750);
  });
  test('follows an upstream that becomes slower, although its slow replies are not awaited', () => {
    const health = measured(...Array(128).fill(10));
    let asked = 0;
    let hedged = 0;
    for (; asked < 2000; asked++) {
      const latencyMs = 40 + (asked % 20);
      const hedgeMs = health.hedgeMs() ?? 0;
      if (latencyMs <= hedgeMs) health.replied(0, latencyMs);
      else {
        hedged++;
        health.outrun(Math.min(latencyMs, hedgeMs + 10));
      }
    }
    expect(health.hedgeMs()).toBeGreaterThan(55);
    expect(hedged / asked).toBeLessThan(0.15);
  });
});

describe('an upstream put aside after a failure', () => {
  test('is checked after a wait that doubles from a second to a minute', () => {
    const health = create();
    let nowMs = 0;
    for (let index = 0; index < 9; index++) {
      const waitMs = health.failed(nowMs);
      const expected = Math.min(60_000, 1000 * 2 ** index);
      expect(waitMs).toBeGreaterThan(expected * 0.89);
      expect(waitMs).toBeLessThan(expected * 1.11);
      nowMs += waitMs!;
    }
  });
  test('is checked once for many tries that fail together', () => {
    const health = create();
    const waits = Array.from({ length: 100 }, () => health.failed(1000));
    expect(waits.filter((waitMs) => waitMs !== null)).toHaveLength(1);
  });
  test('is dead after three failures, and healthy again with any reply', () => {
    const health = create();
    for (let index = 0; index < 3; index++) health.failed(10_000 * index);
    expect(health.dead).toBe(true);
    health.isAlive(30_000);
    expect([health.healthy, health.dead]).toEqual([true, false]);
  });
  test('knows whether a reply has come since a query was sent', () => {
    const health = measured(10);
    health.replied(500, 10);
    expect([health.hasRepliedSince(400), health.hasRepliedSince(501)]).toEqual([true, false]);
  });
});

describe('the order of upstreams', () => {
  test('puts the quicker before the slower, both before one that is put aside', () => {
    const failed = create();
    failed.failed(0);
    const costs = [measured(10), measured(20), failed].map((health) => health.cost(0));
    expect(costs).toEqual([...costs].sort((a, b) => a - b));
  });
  test('puts a suspect behind until its check has ended', () => {
    const suspect = measured(1);
    suspect.suspect();
    expect(suspect.cost(0)).toBeGreaterThan(measured(300).cost(0));
    suspect.isAlive(0);
    expect(suspect.cost(0)).toBeLessThan(measured(300).cost(0));
  });
  test('puts one whose answers are of no use behind', () => {
    const lame = measured(1);
    for (let i = 0; i < 10; i++) lame.useful(false);
    expect(lame.cost(0)).toBeGreaterThan(measured(300).cost(0));
  });
  test('tries one again that was not asked for long', () => {
    expect(measured(100).cost(300_000)).toBeLessThan(measured(10).cost(0));
  });
});

test('percentiles cover the last 128 replies', () => {
  const health = measured(...Array(500).fill(900), ...Array.from({ length: 128 }, (_, index) => index));
  expect([health.percentileMs(0.5), health.percentileMs(0.95)]).toEqual([64, 121]);
  expect(create().percentileMs(0.5)).toBeNull();
});
