import type { Redis } from 'ioredis';
import { StoreUnavailableError } from '../errors.ts';
import { connectRedis } from '../store/redis/connect.ts';
import { toStoreError } from '../store/redis/redis-error.ts';

const READY_MS = 5_000;

/**
 * Opens a connection for the duration of a call.
 *
 * @throws StoreUnavailableError if Redis is away or answers with an error; StoreCorruptError; errors of `use`
 */
export async function withRedis<T>(url: string, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = connectRedis(url, { name: 'operator' });
  try {
    await ready(redis);
    return await use(redis);
  } catch (error) {
    throw (error as { code?: unknown }).code === undefined ? toStoreError(error) : error;
  } finally {
    redis.disconnect();
  }
}

async function ready(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return;
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      redis.once('ready', resolve);
      timer = setTimeout(() => reject(new StoreUnavailableError('Redis is not connected')), READY_MS);
    });
  } finally {
    clearTimeout(timer);
  }
}
