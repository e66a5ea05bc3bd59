import { describe, expect, it } from 'vitest';
import { FloodWatch } from '../../../../src/dns/udp/shield/flood-watch.ts';

/** A watch that engages at 1,000 packets/s and holds for 10 s; looks every 100 ms. */
function watching() {
  const watch = new FloodWatch({ engagePerSecond: 1000, holdSeconds: 10 });
  let nowMs = 0;
  let count = 0;
  watch.countFrom(0, 0);
  return {
    watch,
    now: () => nowMs,
    /** Looks for so many seconds at this rate. */
    pass(perSecond: number, seconds: number) {
      for (let look = 0; look < Math.round(seconds * 10); look++) {
        nowMs += 100;
        count += perSecond / 10;
        watch.look(count, nowMs);
      }
    },
  };
}

describe('a flood', () => {
  it('is what lasts for two looks', () => {
    const { watch, pass } = watching();
    pass(5000, 0.1);
    expect([watch.perSecond, watch.isFlood]).toEqual([5000, false]);
    pass(5000, 0.1);
    expect(watch.isFlood).toBe(true);
  });

  it('ignores bursts and rates below the threshold', () => {
    const { watch, pass } = watching();
    for (let i = 0; i < 20; i++) {
      pass(5000, 0.1);
      pass(100, 0.1);
      expect(watch.isFlood).toBe(false);
    }
    pass(999, 5);
    expect(watch.isFlood).toBe(false);
  });

  it('is over when there has been less than half of it for the hold', () => {
    const { watch, now, pass } = watching();
    watch.begun(now());
    pass(499, 9.9);
    expect(watch.isOver(now())).toBe(false);
    pass(499, 0.2);
    expect(watch.isOver(now())).toBe(true);
  });

  it('is not over at more than half of it, nor where it comes back within the hold', () => {
    const { watch, now, pass } = watching();
    watch.begun(now());
    pass(600, 30);
    expect(watch.isOver(now())).toBe(false);
    pass(0, 9);
    pass(2000, 0.1);
    pass(0, 9);
    expect(watch.isOver(now())).toBe(false);
  });

  it('that comes back soon is waited for twice as long', () => {
    const { watch, now, pass } = watching();
    watch.begun(now());
    pass(0, 10.1);
    expect(watch.isOver(now())).toBe(true);
    watch.ended(now());
    pass(0, 30);
    watch.begun(now());
    watch.countFrom(0, now());
    pass(0, 19);
    expect(watch.isOver(now())).toBe(false);
    pass(0, 1.2);
    expect(watch.isOver(now())).toBe(true);
  });

  it('that comes back late is a new one', () => {
    const { watch, now, pass } = watching();
    watch.begun(now());
    watch.ended(now());
    pass(0, 1);
    watch.begun(now());
    watch.ended(now());
    pass(0, 61);
    watch.begun(now());
    pass(0, 10.1);
    expect(watch.isOver(now())).toBe(true);
  });
});
