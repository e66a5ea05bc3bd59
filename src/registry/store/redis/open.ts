import { RedisStore, type RedisStoreOptions } from './redis-store.ts';

export interface OpenRedisOptions extends Omit<RedisStoreOptions, 'leader'> {
  leader?: RedisStoreOptions['leader'];
  /** Milliseconds to wait for Redis before callers get StoreUnavailableError. */
  waitMs?: number;
}

export { ErasedIds } from './erased-ids.ts';
export { storeFace } from './redis-store.ts';
export { redisTransfer } from './redis-transfer.ts';

const WAIT_MS = 3_000;

/**
 * Opens the store. A Redis that is away or has lost data is reported by calls, not here; the store works once Redis does.
 *
 * @throws StoreUnavailableError for an invalid URL, or certificate files that cannot be read
 */
export async function openRedisStore(options: OpenRedisOptions): Promise<RedisStore> {
  const store = new RedisStore({ ...options, leader: options.leader ?? {} });
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, options.waitMs ?? WAIT_MS);
  });
  await Promise.race([store.link.ready, timeout]);
  clearTimeout(timer);
  return store;
}
