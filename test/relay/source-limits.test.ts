import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/net/index.ts';
import { sourceOf } from '../../src/relay/source.ts';
import {
  allocateSourceLimits,
  type SourceLimitOptions,
  SourceLimits,
} from '../../src/relay/source-limits.ts';

const OPTIONS: SourceLimitOptions = {
  connections: 10_000,
  strangerConnections: 2,
  connectionsPerSource: 3,
  newPerSecond: 10,
  newBurst: 5,
  bytesPerSecond: 1_000_000,
};
const memory = allocateSourceLimits();
const make = (options: Partial<SourceLimitOptions> = {}) =>
  new SourceLimits(memory, { ...OPTIONS, ...options }, 99);
const hash = (limits: SourceLimits, text: string) => limits.hashOf(sourceOf(parseAddress(text)!));

describe('the limits of a source', () => {
  it('bound open connections over all threads', () => {
    const [one, other] = [make(), make()];
    const home = hash(one, '192.0.2.1');
    expect([one.enter(home, 0), other.enter(home, 0), one.enter(home, 0), other.enter(home, 0)]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(other.enter(hash(other, '192.0.2.2'), 0)).toBe(true);
    one.leave(home);
    expect(other.enter(home, 1000)).toBe(true);
  });

  it('apply to a whole IPv6 /64', () => {
    const limits = make();
    expect(hash(limits, '2001:db8::1')).toBe(hash(limits, '2001:db8::ffff:1'));
    expect(hash(limits, '2001:db8::1')).not.toBe(hash(limits, '2001:db8:0:1::1'));
  });

  it('bound new connections', () => {
    const limits = make({ connectionsPerSource: 1000 });
    const home = hash(limits, '192.0.2.3');
    const tries = (count: number, nowMs: number) =>
      Array.from({ length: count }, () => limits.enter(home, nowMs)).filter(Boolean).length;
    expect(tries(20, 0)).toBe(5);
    expect(tries(20, 100)).toBe(1);
    expect(tries(20, 10_000)).toBe(5);
  });

  it('shrink as the relay fills: 20 sources leave room for another home', () => {
    const limits = new SourceLimits(
      allocateSourceLimits(),
      { ...OPTIONS, connectionsPerSource: 512, newPerSecond: 1e6, newBurst: 1e6 },
      99,
    );
    const fill = (source: string) => {
      const home = hash(limits, source);
      let open = 0;
      while (limits.enter(home, 0)) open++;
      return open;
    };
    for (let n = 0; n < 20; n++) fill(`2001:db8:0:${n.toString(16)}::1`);
    expect(fill('192.0.2.7')).toBeGreaterThan(100);
  });

  it('give strangers a pool of their own', () => {
    const limits = make();
    expect([limits.enterStranger(), limits.enterStranger(), limits.enterStranger()]).toEqual([
      true,
      true,
      false,
    ]);
    limits.leaveStranger();
    expect(limits.enterStranger()).toBe(true);
  });

  it('bound bytes if configured', () => {
    const limits = make();
    const home = hash(limits, '192.0.2.4');
    expect(limits.carried(home, 250_000, 0)).toBe(0);
    expect(limits.carried(home, 100_000, 0)).toBe(100);
    expect(limits.carried(home, 100_000, 1000)).toBe(0);
    expect(make({ bytesPerSecond: null }).carried(home, 1e9, 0)).toBe(0);
  });
});
