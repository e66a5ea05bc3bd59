import type { Worker } from 'node:worker_threads';
import type { Change, Snapshot } from '../../feed/index.ts';
import { StoreUnavailableError, storeFault } from '../errors.ts';
import type { ReplyMessage, ToClient, ToWorker } from './sqlite/messages.ts';
import { STEPS, type Store, type StoreSteps } from './store.ts';

/** Calls that may wait; past them callers are told to come back. */
const MAX_PENDING = 10_000;
/** How long a step may take. It may still be done later: a repeat must be safe, and is. */
const STEP_TIMEOUT_MS = 5_000;
const SWEEP_MS = 250;

interface Pending {
  resolve(value: never): void;
  reject(fault: Error): void;
  /** By performance.now(). */
  deadlineMs: number;
}

/** The main thread's end of a store that runs in a thread of its own. */
class ThreadStore {
  private readonly worker: Worker;
  private readonly pending = new Map<number, Pending>();
  private readonly listeners = new Set<(changes: readonly Change[]) => void>();
  private readonly onFailed: (fault: Error) => void;
  private readonly exited: Promise<void>;
  private readonly opening = Promise.withResolvers<{ epoch: string; seq: number }>();
  private nextId = 1;
  private sweep: NodeJS.Timeout | null = null;
  private closing = false;
  private failed: string | null = null;

  constructor(worker: Worker, onFailed: (fault: Error) => void) {
    this.worker = worker;
    this.onFailed = onFailed;
    worker.on('message', (message: ToClient) => this.take(message));
    worker.on('error', (fault: NodeJS.ErrnoException) => this.end(fault.code ?? fault.name));
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
    const own = (changes: readonly Change[]): void => listener(changes);
    this.listeners.add(own);
    return () => this.listeners.delete(own);
  }

  status(): { pending: number; failed: string | null } {
    return { pending: this.pending.size, failed: this.failed };
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
      return Promise.reject(new StoreUnavailableError(`${MAX_PENDING} calls wait for the store already`));
    }
    const id = this.nextId++;
    return new Promise<Value>((resolve, reject) => {
      this.pending.set(id, { resolve, reject, deadlineMs: performance.now() + timeoutMs });
      this.worker.postMessage(message(id));
      this.sweepLater();
    });
  }

  private take(message: ToClient): void {
    if (message.kind === 'batch') {
      if (message.changes.length > 0) this.tell(message.changes);
      for (const reply of message.replies) this.answer(reply);
    } else if (message.kind === 'opened') {
      this.opening.resolve(message);
    } else if (message.kind === 'failed') {
      this.opening.reject(storeFault(message.fault.code, message.fault.message));
    } else {
      this.closing = true;
    }
  }

  private tell(changes: readonly Change[]): void {
    for (const listener of this.listeners) {
      try {
        listener(changes);
      } catch (error) {
        // One that fails keeps neither the others from hearing nor the callers from their answers.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  private answer(reply: ReplyMessage): void {
    const pending = this.pending.get(reply.id);
    if (pending === undefined) return;
    this.pending.delete(reply.id);
    if ('fault' in reply) pending.reject(storeFault(reply.fault.code, reply.fault.message));
    else pending.resolve(reply.value as never);
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
    const fault = new StoreUnavailableError(`the store's thread ended (${code})`);
    this.opening.reject(fault);
    for (const pending of this.pending.values()) pending.reject(fault);
    this.pending.clear();
    if (this.closing || this.failed !== null) return;
    this.failed = code;
    this.onFailed(fault);
  }
}

/**
 * The store that a worker serves.
 *
 * @param onFailed called once if the worker ends by itself after it was opened.
 * @throws what the worker could not be opened for: StoreUnavailable, StoreCorrupt, StoreVersion, StoreLocked.
 */
export async function openThreadStore(worker: Worker, onFailed: (fault: Error) => void): Promise<Store> {
  let isOpen = false;
  const thread = new ThreadStore(worker, (fault) => {
    if (isOpen) onFailed(fault);
  });
  const { epoch } = await thread.opened;
  isOpen = true;
  const steps = Object.fromEntries(
    Object.keys(STEPS).map((name) => [
      name,
      (...step: unknown[]) => thread.call(name as keyof StoreSteps, step),
    ]),
  ) as Pick<Store, keyof StoreSteps>;
  return {
    ...steps,
    epoch,
    snapshot: () => thread.snapshot(),
    subscribe: (listener) => thread.subscribe(listener),
    status: () => thread.status(),
    close: () => thread.close(),
  };
}
