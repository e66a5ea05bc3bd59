import { availableParallelism } from 'node:os';

const MOST_THREADS = 64;

/** Threads of a role: `workers` of its configuration. auto: one processor stays free for the main thread. */
export function threadsOf(workers: 'auto' | number): number {
  return workers === 'auto' ? Math.min(Math.max(availableParallelism() - 1, 1), MOST_THREADS) : workers;
}
