import { expect, test } from 'vitest';
import { AdaptivePolling } from '../../src/sys/index.ts';

/** For each of [time in ms, items]: true if the reader polls again by itself. */
const looks = (steps: readonly (readonly [number, number])[]): boolean[] => {
  const polling = new AdaptivePolling();
  return steps.map(([nowMs, taken]) => polling.shouldPoll(nowMs, taken));
};

test('a reader that is woken now and then waits to be woken', () => {
  expect(
    looks([
      [0, 1],
      [1, 1],
      [2, 3],
      [10, 1],
    ]),
  ).toEqual([false, false, false, false]);
});

test('one that is woken in quick succession looks by itself, as long as it finds several items', () => {
  expect(
    looks([
      [0, 1],
      [0.2, 1],
      [1.2, 2],
      [2.2, 20],
      [3.2, 1],
      [9, 1],
    ]),
  ).toEqual([false, true, true, true, false, false]);
});

test('one that is woken for nothing waits', () => {
  expect(
    looks([
      [0, 0],
      [0.1, 0],
    ]),
  ).toEqual([false, false]);
});
