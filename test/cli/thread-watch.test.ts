import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ThreadWatch } from '../../src/cli/serve/observe/thread-watch.ts';

describe('readiness of the threads', () => {
  let nowMs: number;
  let turns: Record<string, number>;
  let told: string[];
  let watch: ThreadWatch;

  /** Ticks of half a second; threads in `moving` make a turn in each. */
  const pass = (seconds: number, moving: readonly string[]): void => {
    for (let tick = 0; tick < seconds * 2; tick++) {
      nowMs += 500;
      for (const name of moving) turns[name]++;
      watch.readiness();
    }
  };

  beforeEach(() => {
    nowMs = 7_000_000;
    turns = { 'udp-0': 1, relay: 1 };
    told = [];
    watch = new ThreadWatch({
      threads: () => Object.entries(turns).map(([name, count]) => ({ name, turns: count })),
      now: () => nowMs,
      onStuck: (name) => told.push(`stuck ${name}`),
      onMoving: (name) => told.push(`moving ${name}`),
    });
    watch.readiness();
  });
  afterEach(() => watch.close());

  test('holds while all make turns', () => {
    pass(60, ['udp-0', 'relay']);
    expect(watch.readiness()).toEqual({ ready: true, state: 'moving' });
    expect(told).toEqual([]);
  });

  test('ends with a thread that makes no turn for 3 s, names it, and returns with its next turn', () => {
    pass(2.5, ['relay']);
    expect(watch.readiness()).toEqual({ ready: true, state: 'moving' });
    pass(0.5, ['relay']);
    expect(watch.readiness()).toEqual({ ready: false, state: 'stuck', detail: { threads: 'udp-0' } });
    pass(60, ['relay']);
    pass(0.5, ['udp-0']);
    expect(watch.readiness()).toEqual({ ready: true, state: 'moving' });
    expect(told).toEqual(['stuck udp-0', 'moving udp-0']);
  });

  test('holds on a machine that stood still as a whole, until the threads have had their time', () => {
    nowMs += 3_600_000;
    expect(watch.readiness()).toEqual({ ready: true, state: 'moving' });
    pass(10, ['udp-0', 'relay']);
    expect(told).toEqual([]);
  });

  test('forgets a thread that has ended', () => {
    delete turns['udp-0'];
    pass(10, ['relay']);
    expect(watch.readiness()).toEqual({ ready: true, state: 'moving' });
  });
});
