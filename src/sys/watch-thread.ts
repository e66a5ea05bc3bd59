/** Waits for what a SocketWatch watches, rings, and waits until it was taken. */
import { workerData } from 'node:worker_threads';
import { Epoll } from './epoll.ts';
import { settleHeap } from './settle.ts';
import { RUNG, STATE_WORD, STOP_WORD, type WatchThreadData } from './watch-data.ts';

/** A thread inside a system call cannot be ended, so that it comes out of it now and then. */
const WAIT_MS = 1000;

function watch({ epoll: fd, control }: WatchThreadData): void {
  const epoll = new Epoll(1, fd);
  settleHeap();
  while (Atomics.load(control, STOP_WORD) === 0) {
    if (epoll.wait(WAIT_MS) === 0) continue;
    Atomics.store(control, STATE_WORD, RUNG);
    Atomics.notify(control, STATE_WORD);
    // Who closes the watch sets the stop word before it makes it quiet.
    if (Atomics.load(control, STOP_WORD) === 0) Atomics.wait(control, STATE_WORD, RUNG);
  }
}

watch(workerData as WatchThreadData);
