import { describe, expect, test } from 'vitest';
import { FailureCache } from '../../src/resolver/failures.ts';
import type { ResolveFailure } from '../../src/resolver/request.ts';

const FAILURE: ResolveFailure = { entry: null, rcode: 2, extendedError: 22 };

describe('RFC 9520 3.2: failures are remembered', () => {
  let nowMs = 0;
  const create = (capacity = 10): FailureCache => {
    nowMs = 1_000_000;
    return new FailureCache({ now: () => nowMs, minMs: 1000, maxMs: 300_000, capacity });
  };
  /** Time in ms for which a failure recorded now is remembered. */
  const remembered = (failures: FailureCache, key: string): number => {
    failures.record(key, FAILURE);
    const fromMs = nowMs;
    while (failures.find(key) !== undefined) nowMs += 500;
    return nowMs - fromMs;
  };

  test('for a second first, then twice as long each time, five minutes at most', () => {
    const failures = create();
    const times = Array.from({ length: 11 }, () => remembered(failures, 'a') / 1000);
    expect(times).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });
  test('until an answer resets the time', () => {
    const failures = create();
    remembered(failures, 'a');
    remembered(failures, 'a');
    failures.forget('a');
    expect(remembered(failures, 'a')).toBe(1000);
  });
  test('for a second again after a long time without a failure', () => {
    const failures = create();
    for (let i = 0; i < 5; i++) remembered(failures, 'a');
    nowMs += 20_000;
    expect(remembered(failures, 'a')).toBe(1000);
  });
  test('up to the capacity', () => {
    const failures = create(3);
    for (const key of ['a', 'b', 'c', 'd']) failures.record(key, FAILURE);
    expect([failures.size, failures.find('a'), failures.find('d')]).toEqual([3, undefined, FAILURE]);
  });
});
