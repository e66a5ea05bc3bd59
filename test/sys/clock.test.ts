import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { monotonicClock } from '../../src/sys/index.ts';

/** Tolerance for reading two clocks one after the other. */
const READING_MS = 1;

function hrtimeMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

describe('the monotonic clock', () => {
  it('never goes back, and is that of process.hrtime', () => {
    const now = monotonicClock();
    let last = now();
    for (let i = 0; i < 10_000; i++) {
      const next = now();
      expect(next >= last).toBe(true);
      last = next;
    }
    const before = hrtimeMs();
    const between = now();
    const after = hrtimeMs();
    expect(between).toBeGreaterThan(before - READING_MS);
    expect(between).toBeLessThan(after + READING_MS);
  });

  it('is the same in all threads: stamps given in turn ascend', async () => {
    const stamps = 200;
    const turn = new Int32Array(new SharedArrayBuffer(4));
    const times = new Float64Array(new SharedArrayBuffer(stamps * 8));
    const thread = new Worker(new URL('./clock-thread.ts', import.meta.url), {
      workerData: { turn: turn.buffer, times: times.buffer },
    });
    const done = once(thread, 'message');
    await once(thread, 'online');
    const now = monotonicClock();
    for (let i = 0; i < stamps; i += 2) {
      while (Atomics.load(turn, 0) !== i) Atomics.wait(turn, 0, i - 1, 1);
      times[i] = now();
      Atomics.store(turn, 0, i + 1);
      Atomics.notify(turn, 0);
    }
    await done;
    for (let i = 1; i < stamps; i++) expect(times[i] - times[i - 1]).toBeGreaterThan(-READING_MS);
    expect(times[stamps - 1]).toBeGreaterThan(times[0]);
  });
});
