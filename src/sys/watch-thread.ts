/** Waits for the sockets of a SocketWatch, wakes its event loop, and waits until everything was read. */
import { workerData } from 'node:worker_threads';
import { Epoll } from './epoll.ts';
import { settleHeap } from './settle.ts';
import { RUNG, STATE_WORD, STOP_WORD, type WatchThreadData } from './watch-data.ts';

/** A thread inside a system call cannot be terminated, so it wakes now and then to check its stop word. */
const WAIT_MS = 1000;

function watch({ epoll: fd, control }: WatchThreadData): void {
  const epoll = new Epoll(1, fd);
  settleHeap();
  while (Atomics.load(control, STOP_WORD) === 0) {
    if (epoll.wait(WAIT_MS) === 0) continue;
    Atomics.store(control, STATE_WORD, RUNG);
    Atomics.notify(control, STATE_WORD);
    // Closing sets the stop word before the state.
    if (Atomics.load(control, STOP_WORD) === 0) Atomics.wait(control, STATE_WORD, RUNG);
  }
}

watch(workerData as WatchThreadData);
