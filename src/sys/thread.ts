import { fileURLToPath } from 'node:url';
import { type Transferable, Worker } from 'node:worker_threads';

/** Where transpiled and compiled code is kept between starts: beside the program, as npm's tools do. */
export const COMPILE_CACHE_DIRECTORY = fileURLToPath(
  new URL('../../node_modules/.cache/mediastreamer', import.meta.url),
);

const BOOTSTRAP = new URL('./thread-bootstrap.mjs', import.meta.url);
const YOUNG_GENERATION_MB = 4;

export interface ThreadOptions {
  /** For the process's list of threads and for errors; at most 15 characters are shown. */
  readonly name: string;
  /** What the entry reads as `workerData` of node:worker_threads. */
  readonly workerData?: unknown;
  readonly transferList?: readonly Transferable[];
  /** Objects that die young have this much; V8's own choice grows to 48 MB a thread. */
  readonly youngGenerationMb?: number;
  readonly oldGenerationMb?: number;
}

/**
 * Starts `entry` (the URL of a module of ours) as a thread. Errors of the thread come as the worker's 'error'
 * event: a worker without a listener for it takes the process down, as an uncaught error does.
 *
 * The module sees no arguments: `process.argv` belongs to the bootstrap.
 */
export function startThread(entry: URL, options: ThreadOptions): Worker {
  const { name, workerData, transferList, youngGenerationMb, oldGenerationMb } = options;
  return new Worker(BOOTSTRAP, {
    name,
    argv: [entry.href, COMPILE_CACHE_DIRECTORY],
    execArgv: [],
    workerData,
    ...(transferList && { transferList: [...transferList] }),
    resourceLimits: {
      maxYoungGenerationSizeMb: youngGenerationMb ?? YOUNG_GENERATION_MB,
      ...(oldGenerationMb !== undefined && { maxOldGenerationSizeMb: oldGenerationMb }),
    },
  });
}
