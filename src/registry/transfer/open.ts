import { StoreUnavailableError } from '../errors.ts';
import { PositionFile } from '../position-file.ts';
import type { StoreTransfer } from './record.ts';

export interface OpenTransferOptions {
  /** 'embedded', or the URL of a Redis. */
  store: string;
  dataDir: string;
  /** For a store that begins now. */
  makeId: () => string;
}

/**
 * Opens a store for being moved, out or in.
 *
 * @throws StoreLocked where a service runs on an embedded one; StoreUnavailable, StoreLostData, StoreCorrupt, StoreVersion.
 */
export async function openTransfer({ store, dataDir, makeId }: OpenTransferOptions): Promise<StoreTransfer> {
  if (store === 'embedded') {
    const { openSqliteTransfer } = await import('../store/sqlite/transfer.ts');
    return openSqliteTransfer(dataDir, makeId());
  }
  const { openRedisStore, redisTransfer } = await import('../store/redis.ts');
  const opened = await openRedisStore({
    url: store,
    keeper: new PositionFile(dataDir),
    news: { state() {}, warning() {} },
    makeId,
  });
  const { failed } = opened.status();
  if (failed === null) return redisTransfer(opened);
  await opened.close();
  throw new StoreUnavailableError(`Redis cannot be used: ${failed}`);
}
