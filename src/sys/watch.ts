import type { Worker } from 'node:worker_threads';
import { AdaptivePolling } from './adaptive-polling.ts';
import { Epoll, EpollEvent } from './epoll.ts';
import { openEvent, signalEvent } from './event.ts';
import { closeSocket } from './socket.ts';
import { startThread } from './thread.ts';
import { QUIET, STATE_WORD, STOP_WORD, type WatchThreadData } from './watch-data.ts';

const CAPACITY = 128;
/** Bound of one turn, so that the event loop's other work gets its turn. */
const MAX_ROUNDS = 8;
/** `data` of the event that stops the thread. */
const STOP_DATA = 0x7fffffff;
const YOUNG_GENERATION_MB = 1;

/**
 * Tells this thread's event loop when sockets become readable, for descriptors that libuv does not know. A helper thread
 * waits in epoll_wait(2), wakes the loop once, and waits again only after everything was read, so that a busy loop is not
 * woken for each packet.
 */
export class SocketWatch {
  private readonly epoll = new Epoll(CAPACITY);
  private readonly stopEvent = openEvent();
  private readonly control = new Int32Array(new SharedArrayBuffer(64));
  private readonly onReadable: (data: number) => void;
  private readonly thread: Worker;
  private readonly exited: Promise<void>;
  private readonly polling = new AdaptivePolling();
  private closed = false;

  /**
   * @param onReadable called with the socket's number, again and again until the socket is read empty
   * @param onFailure called if the helper thread ends by itself; no socket is reported after that
   */
  constructor(onReadable: (data: number) => void, onFailure: (error: Error) => void) {
    this.onReadable = onReadable;
    this.epoll.add(this.stopEvent, EpollEvent.IN, STOP_DATA);
    const workerData: WatchThreadData = { epoll: this.epoll.fd, control: this.control };
    this.thread = startThread(new URL('./watch-thread.ts', import.meta.url), {
      name: 'socket-watch',
      workerData,
      youngGenerationMb: YOUNG_GENERATION_MB,
    });
    this.exited = new Promise((resolve) => this.thread.on('exit', () => resolve()));
    this.thread.on('error', (error) => onFailure(error as Error));
    this.thread.unref();
    void this.follow();
  }

  /**
   * Watches a socket until it is closed. Does not keep the event loop alive.
   * @param data 0 to 2^31 - 2
   * @throws SystemCallError ENOSPC where fs.epoll.max_user_watches is reached
   */
  add(fd: number, data: number): void {
    this.epoll.add(fd, EpollEvent.IN, data);
  }

  /** Ends the thread. The sockets stay open. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    const { control } = this;
    Atomics.store(control, STOP_WORD, 1);
    Atomics.store(control, STATE_WORD, QUIET);
    Atomics.notify(control, STATE_WORD);
    signalEvent(this.stopEvent);
    this.thread.ref();
    await this.exited;
    this.epoll.close();
    closeSocket(this.stopEvent);
  }

  private async follow(): Promise<void> {
    const { control } = this;
    while (!this.closed) {
      const ringing = Atomics.waitAsync(control, STATE_WORD, QUIET);
      if (ringing.async) await ringing.value;
      if (this.closed) return;
      while (this.polling.shouldPoll(performance.now(), this.drain())) {
        await this.polling.pause();
        if (this.closed) return;
      }
      Atomics.store(control, STATE_WORD, QUIET);
      Atomics.notify(control, STATE_WORD);
    }
  }

  /** @returns the number of calls made to onReadable */
  private drain(): number {
    const { epoll, onReadable } = this;
    let told = 0;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const count = epoll.wait(0);
      if (count === 0) break;
      told += count;
      for (let i = 0; i < count && !this.closed; i++) onReadable(epoll.dataAt(i));
    }
    return told;
  }
}
