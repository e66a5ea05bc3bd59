import type { Change } from '../../../feed/index.ts';
import type { Call } from './batch.ts';

/** The workerData of the store's thread. */
export interface StoreWorkerData {
  dataDir: string;
  /** The epoch of a new database. */
  epoch: string;
  /** Changes that the log keeps at most. */
  logLimit: number;
  /** Milliseconds that erased bytes may stay in the write-ahead log. */
  eraseDelayMs: number;
}

export type ToWorker = { kind: 'call'; call: Call } | { kind: 'snapshot'; id: number } | { kind: 'close' };

/** An error as it crosses threads: classes do not survive a message. */
export interface ErrorMessage {
  code: string;
  message: string;
}

export type ReplyMessage =
  | { id: number; value: unknown; changes?: readonly [from: number, to: number] }
  | { id: number; error: ErrorMessage };

export type ToClient =
  | { kind: 'opened'; epoch: string; seq: number }
  | { kind: 'failed'; error: ErrorMessage }
  /** Emit the changes before the replies: they belong to the same steps. */
  | { kind: 'batch'; changes: Change[]; replies: ReplyMessage[] }
  /** The database cannot be used, for a cause that an operator understands; null: it can again. */
  | { kind: 'health'; cause: string | null }
  | { kind: 'closed' };
