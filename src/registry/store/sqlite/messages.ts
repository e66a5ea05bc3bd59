import type { Change } from '../../../feed/index.ts';
import type { Call } from './batch.ts';

/** What the store's thread is started with. */
export interface SqliteWorkerData {
  dataDir: string;
  /** Given to a database that is made now. */
  epoch: string;
  /** Changes that the log keeps at most. */
  logLimit: number;
  /** How long what was erased may stay in the write-ahead log. */
  eraseDelayMs: number;
}

export type ToWorker = { kind: 'call'; call: Call } | { kind: 'snapshot'; id: number } | { kind: 'close' };

/** An error class does not survive a message: its code does. */
export interface FaultMessage {
  code: string;
  message: string;
}

export type ReplyMessage = { id: number; value: unknown } | { id: number; fault: FaultMessage };

export type ToClient =
  | { kind: 'opened'; epoch: string; seq: number }
  | { kind: 'failed'; fault: FaultMessage }
  /** Changes come with the replies of the steps that made them, and are to be heard first. */
  | { kind: 'batch'; changes: Change[]; replies: ReplyMessage[] }
  | { kind: 'closed' };
