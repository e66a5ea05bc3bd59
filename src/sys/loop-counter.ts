import { type Worker, workerData } from 'node:worker_threads';

/** Key of a thread's `workerData` that holds its loop counter. */
export const LOOP_KEY = 'loopCounter';

/** Counts the turns of this thread's loop, so that the main thread notices when the loop stands still. */
export class LoopCounter {
  private readonly turns: Int32Array;

  constructor() {
    const { [LOOP_KEY]: shared } = (workerData ?? {}) as { [LOOP_KEY]?: SharedArrayBuffer };
    this.turns = new Int32Array(shared ?? new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  }

  turn(): void {
    this.turns[0]++;
  }

  /** Counts by a timer, for a thread on Node's event loop. */
  turnEvery(intervalMs: number): void {
    this.turn();
    setInterval(() => this.turn(), intervalMs).unref();
  }
}

/** A thread of this process that counts the turns of its loop. */
export interface LoopingThread {
  readonly name: string;
  /** Turns so far; may wrap around. 0: none yet. */
  readonly turns: number;
}

const threads = new Map<Worker, { readonly name: string; readonly turns: Int32Array }>();

/** Registers a thread until it ends. */
export function watchLoop(worker: Worker, name: string, shared: SharedArrayBuffer): void {
  threads.set(worker, { name, turns: new Int32Array(shared) });
  worker.once('exit', () => threads.delete(worker));
}

/** Threads that have begun to count. A thread whose work may take long, such as the store's, never does. */
export function loopingThreads(): LoopingThread[] {
  return [...threads.values()]
    .map(({ name, turns }) => ({ name, turns: Atomics.load(turns, 0) }))
    .filter(({ turns }) => turns !== 0);
}
