import { startThread } from '../../../sys/index.ts';
import type { Store } from '../store.ts';
import type { StoreWorkerData } from './messages.ts';
import { openThreadStore, type ThreadStoreOptions } from './thread-store.ts';

/** Changes that the log keeps at most, whatever their age. */
const LOG_LIMIT = 100_000;
/** Milliseconds that erased bytes may stay in the write-ahead log. */
const ERASE_DELAY_MS = 500;

export interface OpenSqliteOptions extends Partial<Omit<ThreadStoreOptions, 'onFailed'>> {
  dataDir: string;
  /** The epoch of a new database. */
  epoch: string;
  logLimit?: number;
  /** Called once if the thread ends by itself. */
  onFailed: (error: Error) => void;
}

/**
 * Opens the store in `dataDir`, in a thread of its own: SQLite blocks while it syncs.
 *
 * @throws StoreUnavailableError, StoreCorruptError, StoreVersionError, StoreLockedError; the files are unchanged then
 */
export function openSqliteStore(options: OpenSqliteOptions): Promise<Store> {
  const data: StoreWorkerData = {
    dataDir: options.dataDir,
    epoch: options.epoch,
    logLimit: options.logLimit ?? LOG_LIMIT,
    eraseDelayMs: ERASE_DELAY_MS,
  };
  const worker = startThread(new URL('./store-worker.ts', import.meta.url), {
    name: 'store',
    workerData: data,
    // The young generation is an idle thread's memory; the old one holds the largest batch of changes.
    youngGenerationMb: 2,
    oldGenerationMb: 128,
  });
  const { onHealth, readYourWrites } = options;
  return openThreadStore(worker, options.onFailed, {
    ...(onHealth && { onHealth }),
    ...(readYourWrites && { readYourWrites }),
  });
}
