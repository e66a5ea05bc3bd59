import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Snapshot } from '../../../feed/index.ts';
import { settleHeap } from '../../../sys/index.ts';
import { StoreUnavailableError } from '../../errors.ts';
import { STEPS } from '../store.ts';
import { type BatchResult, type Call, runBatch } from './batch.ts';
import { type OpenedDatabase, openDatabase } from './database.ts';
import { FileHealth } from './file-health.ts';
import type { StoreWorkerData, ToClient, ToWorker } from './messages.ts';
import { toRegistryError } from './sqlite-error.ts';
import { SqliteSteps } from './steps.ts';
import { takeSnapshot } from './take-snapshot.ts';

/** By then the first snapshot is taken and the heap can shrink. */
const SETTLE_MS = 1000;
/** Interval of examining the file: a failure shows within it without any call. */
const EXAMINE_MS = 1_000;
/** Steps per transaction at most. */
const BATCH_LIMIT = 256;

/** Serves a database to the thread that started this one. */
class SqliteServer {
  private readonly port: MessagePort;
  private readonly opened: OpenedDatabase;
  private readonly steps: SqliteSteps;
  private readonly eraseDelayMs: number;
  private readonly health: FileHealth;
  private readonly examining: NodeJS.Timeout;
  private readonly calls: Call[] = [];
  private next: NodeJS.Immediate | null = null;
  private eraseTimer: NodeJS.Timeout | null = null;
  private snapshots: Promise<void> = Promise.resolve();

  constructor(port: MessagePort, opened: OpenedDatabase, data: StoreWorkerData) {
    this.port = port;
    this.opened = opened;
    this.steps = new SqliteSteps(opened.database, data.logLimit);
    this.eraseDelayMs = data.eraseDelayMs;
    this.health = new FileHealth(opened.path, (cause) => this.post({ kind: 'health', cause }));
    this.examining = setInterval(() => this.health.examine(opened.database), EXAMINE_MS);
    // An earlier process may have left erased bytes in the write-ahead log.
    this.eraseSoon();
    port.on('message', (message: ToWorker) => this.handle(message));
  }

  state(): { epoch: string; seq: number } {
    return this.steps.steps.state();
  }

  private handle(message: ToWorker): void {
    if (message.kind === 'call') this.calls.push(message.call);
    else if (message.kind === 'snapshot') this.snapshot(message.id);
    else this.close();
    if (this.calls.length > 0) this.runSoon();
  }

  /**
   * Calls that arrive during a sync share the next one. The event loop turns between batches, so that a steady stream
   * of calls does not delay snapshots or erasure.
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
    const isWriting = calls.some(({ name }) => STEPS[name] === 'write');
    const cause = isWriting ? this.health.checkName() : null;
    if (cause === null) {
      const note = (error: unknown): void => this.health.note(error);
      this.answer(runBatch(this.opened.database, this.steps, calls, note));
    } else {
      const error = new StoreUnavailableError(`the store could not write (${cause})`);
      this.answer({ changes: [], erased: false, replies: calls.map(({ id }) => ({ id, error })) });
    }
  }

  private answer(result: BatchResult): void {
    const replies = result.replies.map((reply) =>
      'error' in reply
        ? { id: reply.id, error: { code: reply.error.code, message: reply.error.message } }
        : reply,
    );
    this.post({ kind: 'batch', changes: result.changes, replies });
    if (result.erased) this.eraseSoon();
  }

  /** Takes one snapshot at a time, each after it was asked for. */
  private snapshot(id: number): void {
    this.snapshots = this.snapshots.then(async () => {
      try {
        this.postSnapshot(id, await takeSnapshot(this.opened.path));
      } catch (error) {
        const { code, message } = toRegistryError(error);
        this.post({ kind: 'batch', changes: [], replies: [{ id, error: { code, message } }] });
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

  /** Moves the write-ahead log into the file and empties it. False while a snapshot reads. */
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
    clearInterval(this.examining);
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

function start(port: MessagePort, data: StoreWorkerData): void {
  let opened: OpenedDatabase | null = null;
  try {
    opened = openDatabase(data.dataDir, data.epoch);
    const server = new SqliteServer(port, opened, data);
    port.postMessage({ kind: 'opened', ...server.state() } satisfies ToClient);
    setTimeout(settleHeap, SETTLE_MS).unref();
  } catch (error) {
    opened?.close();
    const { code, message } = toRegistryError(error);
    port.postMessage({ kind: 'failed', error: { code, message } } satisfies ToClient);
    port.close();
  }
}

start(parentPort!, workerData as StoreWorkerData);
