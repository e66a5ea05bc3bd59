import { beforeEach, describe, expect, it } from 'vitest';
import { ANSWER_PACE, BatchPacer } from '../../../src/dns/udp/batch-pacer.ts';

const SLOTS = 64;
let nowMs: number;
let slept: number[];
let pacer: BatchPacer;

beforeEach(() => {
  nowMs = 1000;
  slept = [];
  pacer = new BatchPacer(
    SLOTS,
    ANSWER_PACE,
    (microseconds) => slept.push(microseconds),
    (out) => {
      out[0] = nowMs;
    },
  );
});

/** Receives batches of `count` packets at a rate. @returns number of pauses */
function receive(batches: number, count: number, perSecond: number): number {
  let paused = 0;
  for (let i = 0; i < batches; i++) {
    nowMs += (count * 1000) / perSecond;
    if (pacer.after(count)) paused++;
  }
  expect(slept.length).toBe(paused);
  slept = [];
  return paused;
}

describe('a pause between batches', () => {
  it('is not made while few packets come', () => {
    expect(receive(1000, 1, 10_000)).toBe(0);
  });

  it('is made while many come in small batches, once the rate is known', () => {
    receive(64, 1, 50_000);
    expect(receive(640, 1, 50_000)).toBe(640);
  });

  it('is shorter than a millisecond, which no client notices', () => {
    receive(64, 1, 50_000);
    pacer.after(1);
    expect(slept[0]).toBeGreaterThan(0);
    expect(slept[0]).toBeLessThan(1000);
  });

  it('is not made after batches that are half full or more: they have gathered already', () => {
    expect(receive(640, SLOTS / 2 + 1, 300_000)).toBe(0);
  });

  it('is not made after a wait that brought nothing', () => {
    receive(64, 1, 50_000);
    expect(pacer.after(0)).toBe(false);
  });

  it('ends when the rate has fallen', () => {
    receive(128, 1, 50_000);
    receive(64, 1, 100);
    expect(receive(640, 1, 100)).toBe(0);
  });
});
