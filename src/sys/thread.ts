import { fileURLToPath } from 'node:url';
import { type Transferable, Worker } from 'node:worker_threads';
import { LOOP_KEY, watchLoop } from './loop-counter.ts';

/** Cache of transpiled and compiled code between starts, in node_modules/.cache as npm's tools have it. */
export const COMPILE_CACHE_DIRECTORY = fileURLToPath(
  new URL('../../node_modules/.cache/mediastreamer', import.meta.url),
);

const BOOTSTRAP = new URL('./thread-bootstrap.mjs', import.meta.url);
const YOUNG_GENERATION_MB = 4;

export interface ThreadOptions {
  /** Thread name for ps, top and errors; the kernel shows 15 characters. */
  readonly name: string;
  /** The entry's `workerData` (node:worker_threads). */
  readonly workerData?: object;
  readonly transferList?: readonly Transferable[];
  /** Semi-space of the young generation; V8's default grows to 48 MB a thread. */
  readonly youngGenerationMb?: number;
  readonly oldGenerationMb?: number;
}

/**
 * Starts `entry` (the URL of one of our modules) as a thread. An error in the thread becomes the worker's 'error' event;
 * without a listener for it the process crashes, as with any uncaught error.
 *
 * The module sees no arguments: `process.argv` belongs to the bootstrap.
 */
export function startThread(entry: URL, options: ThreadOptions): Worker {
  const { name, workerData, transferList, youngGenerationMb, oldGenerationMb } = options;
  const loop = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const worker = new Worker(BOOTSTRAP, {
    name,
    argv: [entry.href, COMPILE_CACHE_DIRECTORY],
    execArgv: [],
    workerData: { ...workerData, [LOOP_KEY]: loop },
    ...(transferList && { transferList: [...transferList] }),
    resourceLimits: {
      maxYoungGenerationSizeMb: youngGenerationMb ?? YOUNG_GENERATION_MB,
      ...(oldGenerationMb !== undefined && { maxOldGenerationSizeMb: oldGenerationMb }),
    },
  });
  watchLoop(worker, name, loop);
  return worker;
}
