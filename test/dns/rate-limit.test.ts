import { describe, expect, it } from 'vitest';
import { RateLimiter } from '../../src/dns/index.ts';

const SEED = 7;
const make = (perSecond: number, burst: number, memory = RateLimiter.allocate()): RateLimiter =>
  new RateLimiter(memory, { perSecond, burst }, SEED);
const ADDRESS = 0xc6336407;

/** Takes one reply for the address that starts with these words. */
function take(limiter: RateLimiter, family: number, word0: number, word1: number, nowMs: number): boolean {
  return limiter.take(family, Int32Array.of(word0, word1, 0, 0), Float64Array.of(nowMs));
}

/** Number of replies that one prefix gets in a burst. */
function takeAll(limiter: RateLimiter, nowMs: number, family = 4, word0 = ADDRESS, word1 = 0): number {
  let taken = 0;
  while (taken < 10_000 && take(limiter, family, word0, word1, nowMs)) taken++;
  return taken;
}

describe('the limit on replies to the unregistered', () => {
  it('lets a burst pass, then a reply for each interval', () => {
    const limiter = make(10, 5);
    expect(takeAll(limiter, 1000)).toBe(5);
    expect(takeAll(limiter, 1099)).toBe(0);
    expect(takeAll(limiter, 1100)).toBe(1);
    expect(takeAll(limiter, 1300)).toBe(2);
    expect(takeAll(limiter, 1_000_000)).toBe(5);
  });

  it('gives over a long time the rate that was asked for', () => {
    const limiter = make(20, 3);
    let taken = 0;
    for (let nowMs = 0; nowMs < 100_000; nowMs += 7) if (take(limiter, 4, ADDRESS, 0, nowMs)) taken++;
    expect(taken).toBeGreaterThanOrEqual(1990);
    expect(taken).toBeLessThanOrEqual(2003);
  });

  it('counts an IPv4 /24 as one', () => {
    const limiter = make(1, 2);
    expect(take(limiter, 4, 0xc6336401, 0, 0)).toBe(true);
    expect(take(limiter, 4, 0xc63364fe, 0, 0)).toBe(true);
    expect(take(limiter, 4, 0xc6336480, 0, 0)).toBe(false);
    expect(take(limiter, 4, 0xc6336580, 0, 0)).toBe(true);
  });

  it('counts an IPv6 /56 as one, and an IPv4 network apart from it', () => {
    const limiter = make(1, 1);
    expect(take(limiter, 6, 0x20010db8, 0x00010200, 0)).toBe(true);
    expect(take(limiter, 6, 0x20010db8, 0x000102ff, 0)).toBe(false);
    expect(take(limiter, 6, 0x20010db8, 0x00010300, 0)).toBe(true);
    expect(take(limiter, 6, 0x20010db9, 0x00010200, 0)).toBe(true);
    expect(take(limiter, 4, 0x20010db8, 0, 0)).toBe(true);
  });

  it('spreads prefixes over the buckets, whichever part of the address tells them apart', () => {
    const apart = (address: (i: number) => [family: number, word0: number, word1: number]): number => {
      const limiter = make(0.001, 1);
      let passed = 0;
      for (let i = 0; i < 1000; i++) if (take(limiter, ...address(i), 1000)) passed++;
      return passed;
    };
    expect(apart((i) => [4, 0x0a000000 + i * 256, 0])).toBeGreaterThan(970);
    expect(apart((i) => [6, 0x20010db8, i * 256])).toBeGreaterThan(970);
    expect(apart((i) => [6, 0x20010000 + i, 0])).toBeGreaterThan(970);
    expect(apart((i) => [6, 0x20010000 + i, (0x1234 + i) * 256])).toBeGreaterThan(970);
  });

  it('locks nobody out for long when the clock goes back', () => {
    const limiter = make(10, 5);
    takeAll(limiter, 3_600_000);
    expect(takeAll(limiter, 0)).toBe(5);
    expect(takeAll(limiter, 100)).toBe(1);
  });

  it('gives nothing away to a thread whose time is a little behind', () => {
    const memory = RateLimiter.allocate();
    takeAll(make(10, 5, memory), 50_000);
    expect(takeAll(make(10, 5, memory), 49_900)).toBe(0);
  });

  it('is one for all threads that share the memory', () => {
    const memory = RateLimiter.allocate();
    expect(takeAll(make(10, 5, memory), 1000)).toBe(5);
    expect(takeAll(make(10, 5, memory), 1000)).toBe(0);
  });
});
