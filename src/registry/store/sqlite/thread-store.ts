import type { Worker } from 'node:worker_threads';
import type { Change, Snapshot } from '../../../feed/index.ts';
import { notAppliedError, StoreUnavailableError, storeError } from '../../errors.ts';
import { ChangeListeners } from '../change-listeners.ts';
import { type Store, type StoreStatus, type StoreSteps, storeCalls } from '../store.ts';
import type { ReplyMessage, ToClient, ToWorker } from './messages.ts';

/** Calls that may wait; callers past the limit are told to retry. */
const MAX_PENDING = 10_000;
/** A step that takes longer fails, and may still be done later: repeating it is safe. */
const STEP_TIMEOUT_MS = 5_000;
const SWEEP_MS = 250;

interface Pending {
  resolve(value: never): void;
  reject(error: Error): void;
  /** By performance.now(). */
  deadlineMs: number;
}

export interface ThreadStoreOptions {
  /** Called once if the worker ends by itself after opening. */
  onFailed: (error: Error) => void;
  /** Called when the database can no longer be used, with the cause, and with null when it can again. */
  onHealth: (cause: string | null) => void;
  /** See OpenRegistryOptions. */
  readYourWrites: (from: number, to: number) => Promise<boolean>;
}

/** The main thread's end of the store's thread. */
class ThreadStore {
  private readonly worker: Worker;
  private readonly pending = new Map<number, Pending>();
  private readonly listeners = new ChangeListeners();
  private readonly options: ThreadStoreOptions;
  private readonly exited: Promise<void>;
  private readonly opening = Promise.withResolvers<{ epoch: string; seq: number }>();
  private nextId = 1;
  private sweep: NodeJS.Timeout | null = null;
  private closing = false;
  private failed: string | null = null;
  /** Why the thread cannot use its file; null: it can. */
  private cause: string | null = null;

  constructor(worker: Worker, options: ThreadStoreOptions) {
    this.worker = worker;
    this.options = options;
    worker.on('message', (message: ToClient) => this.handle(message));
    worker.on('error', (error: NodeJS.ErrnoException) => this.end(error.code ?? error.name));
    this.exited = new Promise((resolve) => {
      worker.on('exit', () => {
        this.end('ended');
        resolve();
      });
    });
  }

  get opened(): Promise<{ epoch: string; seq: number }> {
    return this.opening.promise;
  }

  call(name: keyof StoreSteps, step: readonly unknown[]): Promise<unknown> {
    return this.ask((id) => ({ kind: 'call', call: { id, name, step } }), STEP_TIMEOUT_MS);
  }

  snapshot(): Promise<Snapshot> {
    return this.ask((id) => ({ kind: 'snapshot', id }), Number.POSITIVE_INFINITY);
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    return this.listeners.subscribe(listener);
  }

  status(): StoreStatus {
    return { pending: this.pending.size, failed: this.failed ?? this.cause };
  }

  async close(): Promise<void> {
    if (!this.closing && this.failed === null) this.worker.postMessage({ kind: 'close' } satisfies ToWorker);
    this.closing = true;
    await this.exited;
  }

  private ask<Value>(message: (id: number) => ToWorker, timeoutMs: number): Promise<Value> {
    if (this.closing || this.failed !== null) {
      return Promise.reject(new StoreUnavailableError('the store is closed'));
    }
    if (this.pending.size >= MAX_PENDING) {
      return Promise.reject(new StoreUnavailableError(`the store is busy: ${MAX_PENDING} calls wait`));
    }
    const id = this.nextId++;
    return new Promise<Value>((resolve, reject) => {
      this.pending.set(id, { resolve, reject, deadlineMs: performance.now() + timeoutMs });
      this.worker.postMessage(message(id));
      this.sweepLater();
    });
  }

  private handle(message: ToClient): void {
    if (message.kind === 'batch') {
      if (message.changes.length > 0) this.listeners.emit(message.changes);
      for (const reply of message.replies) void this.answer(reply);
    } else if (message.kind === 'health') {
      this.cause = message.cause;
      this.options.onHealth(message.cause);
    } else if (message.kind === 'opened') {
      this.opening.resolve(message);
    } else if (message.kind === 'failed') {
      this.opening.reject(storeError(message.error.code, message.error.message));
    } else {
      this.closing = true;
    }
  }

  /** Answers after the listeners have heard the changes, and after this process's allowlist has applied them. */
  private async answer(reply: ReplyMessage): Promise<void> {
    const pending = this.pending.get(reply.id);
    if (pending === undefined) return;
    this.pending.delete(reply.id);
    if ('error' in reply) pending.reject(storeError(reply.error.code, reply.error.message));
    else if (reply.changes === undefined || (await this.options.readYourWrites(...reply.changes))) {
      pending.resolve(reply.value as never);
    } else pending.reject(notAppliedError());
  }

  private sweepLater(): void {
    if (this.sweep !== null || this.pending.size === 0) return;
    this.sweep = setTimeout(() => {
      this.sweep = null;
      const nowMs = performance.now();
      for (const [id, pending] of this.pending) {
        if (pending.deadlineMs > nowMs) continue;
        this.pending.delete(id);
        pending.reject(new StoreUnavailableError(`the store did not answer in ${STEP_TIMEOUT_MS} ms`));
      }
      this.sweepLater();
    }, SWEEP_MS);
    this.sweep.unref();
  }

  private end(code: string): void {
    const error = new StoreUnavailableError(`the store's thread ended (${code})`);
    this.opening.reject(error);
    for (const pending of this.pending.values()) pending.reject(error);
    this.pending.clear();
    if (this.closing || this.failed !== null) return;
    this.failed = code;
    this.options.onFailed(error);
  }
}

/**
 * Connects to the store that a worker serves.
 *
 * @throws StoreUnavailableError, StoreCorruptError, StoreVersionError, StoreLockedError
 */
export async function openThreadStore(
  worker: Worker,
  onFailed: (error: Error) => void,
  options: Partial<ThreadStoreOptions> = {},
): Promise<Store> {
  let isOpen = false;
  const thread = new ThreadStore(worker, {
    onHealth: () => {},
    readYourWrites: () => Promise.resolve(true),
    ...options,
    onFailed(error) {
      if (isOpen) onFailed(error);
    },
  });
  const { epoch } = await thread.opened;
  isOpen = true;
  return {
    ...storeCalls((name, step) => thread.call(name, step)),
    epoch,
    snapshot: () => thread.snapshot(),
    subscribe: (listener) => thread.subscribe(listener),
    status: () => thread.status(),
    close: () => thread.close(),
  };
}
