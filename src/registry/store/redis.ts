import type { PositionKeeper, StoreNews } from './redis/state.ts';
import { RedisStore, type RedisStoreOptions } from './redis/store.ts';

export interface OpenRedisOptions {
  /** redis:// or rediss://: net/redis-url.ts says what it may hold. */
  url: string;
  keeper: PositionKeeper;
  news: StoreNews;
  makeId: () => string;
  chores?: RedisStoreOptions['chores'];
  heard?: (seq: number) => Promise<boolean>;
  /** How long a Redis is waited for before its callers are told that it is not there. */
  waitMs?: number;
}

export { storeFace } from './redis/store.ts';
export { redisTransfer } from './redis/transfer.ts';

const WAIT_MS = 3_000;

/**
 * Opens the store. A Redis that does not answer, or has lost data, is no reason not to: the store says so to its
 * callers, and works as soon as it can.
 *
 * @throws StoreUnavailable for a URL that is none, or certificate files that cannot be read.
 */
export async function openRedisStore(options: OpenRedisOptions): Promise<RedisStore> {
  const store = new RedisStore({ ...options, chores: options.chores ?? {} });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, options.waitMs ?? WAIT_MS);
  });
  await Promise.race([store.link.ready, late]);
  clearTimeout(timer);
  return store;
}
