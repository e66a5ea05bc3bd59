import { parentPort, workerData } from 'node:worker_threads';
import { monotonicClock } from '../../src/sys/clock.ts';

/** Stamps shared times in turn with another thread; this thread has the odd places. */
const turn = new Int32Array(workerData.turn as SharedArrayBuffer);
const times = new Float64Array(workerData.times as SharedArrayBuffer);
const now = monotonicClock();
for (let i = 1; i < times.length; i += 2) {
  while (Atomics.load(turn, 0) !== i) Atomics.wait(turn, 0, i - 1, 1);
  times[i] = now();
  Atomics.store(turn, 0, i + 1);
  Atomics.notify(turn, 0);
}
parentPort?.postMessage('done');
