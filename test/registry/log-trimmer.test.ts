import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LogTrimmer } from '../../src/registry/log-trimmer.ts';

const KEEP_MS = 60_000;
let trimmed: number[];
let fails: boolean;
let trimmer: LogTrimmer;

beforeEach(() => {
  vi.useFakeTimers();
  trimmed = [];
  fails = false;
  trimmer = new LogTrimmer({
    keepMs: KEEP_MS,
    trim: async (throughSeq) => {
      if (fails) throw new Error('unavailable');
      trimmed.push(throughSeq);
    },
  });
});
afterEach(() => {
  trimmer.stop();
  vi.useRealTimers();
});

it('keeps a change for 75 to 100 % of its time', async () => {
  trimmer.reached(7);
  await vi.advanceTimersByTimeAsync(KEEP_MS * 0.75);
  expect(trimmed).toEqual([]);
  await vi.advanceTimersByTimeAsync(KEEP_MS * 0.25);
  expect(trimmed).toEqual([7]);
});

it('keeps later changes, and trims them in turn', async () => {
  trimmer.reached(7);
  await vi.advanceTimersByTimeAsync(KEEP_MS / 2);
  trimmer.reached(9);
  await vi.advanceTimersByTimeAsync(KEEP_MS / 2);
  expect(trimmed).toEqual([7]);
  await vi.advanceTimersByTimeAsync(KEEP_MS / 2);
  expect(trimmed).toEqual([7, 9]);
});

it('sets no timer without changes', async () => {
  trimmer.reached(7);
  await vi.advanceTimersByTimeAsync(3 * KEEP_MS);
  expect(trimmed).toEqual([7]);
  expect(vi.getTimerCount()).toBe(0);
});

it('tries again after an error of the store', async () => {
  fails = true;
  trimmer.reached(7);
  await vi.advanceTimersByTimeAsync(KEEP_MS);
  fails = false;
  await vi.advanceTimersByTimeAsync(KEEP_MS / 4);
  expect(trimmed).toEqual([7]);
});
