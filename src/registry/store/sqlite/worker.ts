import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Snapshot } from '../../../feed/index.ts';
import { settleHeap } from '../../../sys/index.ts';
import { type BatchResult, type Call, runBatch } from './batch.ts';
import { type OpenedDatabase, openDatabase } from './database.ts';
import { registryFault } from './fault.ts';
import type { SqliteWorkerData, ToClient, ToWorker } from './messages.ts';
import { takeSnapshot } from './snapshot.ts';
import { SqliteSteps } from './steps.ts';

/** When the start is over, the first snapshot taken. */
const SETTLE_MS = 1000;
/** Steps that one transaction holds at most. */
const BATCH_LIMIT = 256;

/** Serves a database to the thread that started this one, message by message. */
class SqliteServer {
  private readonly port: MessagePort;
  private readonly opened: OpenedDatabase;
  private readonly steps: SqliteSteps;
  private readonly eraseDelayMs: number;
  private readonly calls: Call[] = [];
  private next: NodeJS.Immediate | null = null;
  private eraseTimer: NodeJS.Timeout | null = null;
  private snapshots: Promise<void> = Promise.resolve();

  constructor(port: MessagePort, opened: OpenedDatabase, data: SqliteWorkerData) {
    this.port = port;
    this.opened = opened;
    this.steps = new SqliteSteps(opened.database, data.logLimit);
    this.eraseDelayMs = data.eraseDelayMs;
    // What an earlier process erased may still be in the write-ahead log that it left.
    this.eraseSoon();
    port.on('message', (message: ToWorker) => this.take(message));
  }

  state(): { epoch: string; seq: number } {
    return this.steps.state();
  }

  private take(message: ToWorker): void {
    if (message.kind === 'call') this.calls.push(message.call);
    else if (message.kind === 'snapshot') this.snapshot(message.id);
    else this.close();
    if (this.calls.length > 0) this.runSoon();
  }

  /**
   * What came during the last sync shares the next one. Between two batches the event loop turns, so that a steady
   * stream of calls keeps neither a snapshot nor an erasure waiting.
   */
  private runSoon(): void {
    this.next ??= setImmediate(() => {
      this.next = null;
      this.run();
      if (this.calls.length > 0) this.runSoon();
    });
  }

  private run(): void {
    const calls = this.calls.splice(0, BATCH_LIMIT);
    this.answer(runBatch(this.opened.database, this.steps, calls));
  }

  private answer(result: BatchResult): void {
    const replies = result.replies.map((reply) =>
      'fault' in reply
        ? { id: reply.id, fault: { code: reply.fault.code, message: reply.fault.message } }
        : reply,
    );
    this.post({ kind: 'batch', changes: result.changes, replies });
    if (result.erased) this.eraseSoon();
  }

  /** One after the other: each is of a moment after it was asked for. */
  private snapshot(id: number): void {
    this.snapshots = this.snapshots.then(async () => {
      try {
        this.postSnapshot(id, await takeSnapshot(this.opened.path));
      } catch (error) {
        const { code, message } = registryFault(error);
        this.post({ kind: 'batch', changes: [], replies: [{ id, fault: { code, message } }] });
      }
    });
  }

  private postSnapshot(id: number, snapshot: Snapshot): void {
    const transfer = snapshot.groups.flatMap((group) => [
      group.keys.buffer as ArrayBuffer,
      group.profiles.buffer as ArrayBuffer,
    ]);
    this.post({ kind: 'batch', changes: [], replies: [{ id, value: snapshot }] }, transfer);
  }

  private eraseSoon(): void {
    this.eraseTimer ??= setTimeout(() => {
      this.eraseTimer = null;
      if (!this.truncateLog()) this.eraseSoon();
    }, this.eraseDelayMs);
  }

  /** Moves the write-ahead log into the file and empties it. False while a snapshot is reading. */
  private truncateLog(): boolean {
    try {
      return this.opened.database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy'] === 0;
    } catch {
      return false;
    }
  }

  private close(): void {
    while (this.calls.length > 0) this.run();
    if (this.next !== null) clearImmediate(this.next);
    this.port.removeAllListeners('message');
    if (this.eraseTimer !== null) clearTimeout(this.eraseTimer);
    void this.snapshots.then(() => {
      this.truncateLog();
      this.opened.close();
      this.post({ kind: 'closed' });
      this.port.close();
    });
  }

  private post(message: ToClient, transfer: ArrayBuffer[] = []): void {
    this.port.postMessage(message, transfer);
  }
}

function start(port: MessagePort, data: SqliteWorkerData): void {
  let opened: OpenedDatabase | null = null;
  try {
    opened = openDatabase(data.dataDir, data.epoch);
    const server = new SqliteServer(port, opened, data);
    port.postMessage({ kind: 'opened', ...server.state() } satisfies ToClient);
    setTimeout(settleHeap, SETTLE_MS).unref();
  } catch (error) {
    opened?.close();
    const { code, message } = registryFault(error);
    port.postMessage({ kind: 'failed', fault: { code, message } } satisfies ToClient);
    port.close();
  }
}

start(parentPort!, workerData as SqliteWorkerData);
