import { startThread } from '../../sys/index.ts';
import type { SqliteWorkerData } from './sqlite/messages.ts';
import type { Store } from './store.ts';
import { openThreadStore } from './thread.ts';

/** Changes that the log keeps at most, whatever their age. */
const LOG_LIMIT = 100_000;
/** How long after a step its bytes may still be in the write-ahead log. */
const ERASE_DELAY_MS = 500;

export interface OpenSqliteOptions {
  dataDir: string;
  /** Given to a database that is made now. */
  epoch: string;
  logLimit?: number;
  onFailed: (fault: Error) => void;
}

/**
 * Opens the store in `dataDir`, in a thread of its own: SQLite blocks while it syncs.
 *
 * @throws StoreUnavailable, StoreCorrupt, StoreVersion, StoreLocked; the files are as they were then.
 */
export function openSqliteStore(options: OpenSqliteOptions): Promise<Store> {
  const data: SqliteWorkerData = {
    dataDir: options.dataDir,
    epoch: options.epoch,
    logLimit: options.logLimit ?? LOG_LIMIT,
    eraseDelayMs: ERASE_DELAY_MS,
  };
  const worker = startThread(new URL('./sqlite/worker.ts', import.meta.url), {
    name: 'store',
    workerData: data,
    // The young generation is what an idle thread costs; the old one holds the greatest batch of changes.
    youngGenerationMb: 2,
    oldGenerationMb: 128,
  });
  return openThreadStore(worker, options.onFailed);
}
