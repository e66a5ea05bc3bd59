import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished, vi } from 'vitest';
import { StoreUnavailableError, TooManyProfilesError } from '../../src/registry/index.ts';
import { openThreadStore } from '../../src/registry/store/sqlite/thread-store.ts';

/** Starts a worker that opens, and runs `body` for each message. */
function worker(body: string): Worker {
  const made = new Worker(
    `const { parentPort: port } = require('node:worker_threads');
     port.on('message', (message) => { const id = message.call?.id; ${body} });
     port.postMessage({ kind: 'opened', epoch: 'e', seq: 0 });`,
    { eval: true },
  );
  onTestFinished(async () => {
    await made.terminate();
  });
  return made;
}

it('restores the class of an error from the thread', async () => {
  const error = "{ code: 'too_many_profiles', message: 'm' }";
  const store = await openThreadStore(
    worker(`port.postMessage({ kind: 'batch', changes: [], replies: [{ id, error: ${error} }] })`),
    () => {},
  );
  await expect(store.deleteAccount('a')).rejects.toThrow(TooManyProfilesError);
});

it('rejects waiting and later calls when the thread ends by itself, and reports it once', async () => {
  const onFailed = vi.fn();
  const store = await openThreadStore(worker("throw new RangeError('x')"), onFailed);
  const calls = [store.deleteAccount('a'), store.snapshot()];
  for (const result of await Promise.allSettled(calls)) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
  }
  await store.close();
  expect(onFailed).toHaveBeenCalledOnce();
  expect(store.status()).toEqual({ pending: 0, failed: 'RangeError' });
  await expect(store.state()).rejects.toThrow(StoreUnavailableError);
});

it('limits the wait for an answer, and still emits later changes', async () => {
  const store = await openThreadStore(
    worker(
      "if (id === 2) port.postMessage({ kind: 'batch', changes: [{ seq: 1 }], replies: [{ id: 1 }, { id: 2 }] })",
    ),
    () => {},
  );
  const heard = vi.fn();
  store.subscribe(heard);
  await expect(store.deleteAccount('a')).rejects.toThrow('did not answer in 5000 ms');
  await store.deleteAccount('a');
  expect(heard).toHaveBeenCalledWith([{ seq: 1 }]);
});

it('limits the number of waiting calls', async () => {
  const store = await openThreadStore(worker(''), () => {});
  const calls = Array.from({ length: 10_001 }, () => store.state().catch((fault) => fault));
  expect(await calls[10_000]).toBeInstanceOf(StoreUnavailableError);
  expect(store.status().pending).toBe(10_000);
});
