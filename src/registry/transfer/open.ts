import { StoreUnavailableError } from '../errors.ts';
import { PositionFile } from '../store/position-file.ts';
import type { StoreTransfer } from './account-transfer.ts';

export interface OpenTransferOptions {
  /** 'embedded', or the URL of a Redis. */
  store: string;
  dataDir: string;
  /** Replicas of Redis that must have an import before it is done. Default 0. */
  waitReplicas?: number;
  /** Makes the epoch of a new store. */
  makeId: () => string;
}

/**
 * Opens a store for export or import.
 *
 * @throws StoreLockedError while a service uses an embedded store; StoreUnavailableError, StoreLostDataError,
 * StoreCorruptError, StoreVersionError
 */
export async function openTransfer({
  store,
  dataDir,
  waitReplicas = 0,
  makeId,
}: OpenTransferOptions): Promise<StoreTransfer> {
  if (store === 'embedded') {
    const { openSqliteTransfer } = await import('../store/sqlite/sqlite-transfer.ts');
    return openSqliteTransfer(dataDir, makeId());
  }
  const { openRedisStore, redisTransfer } = await import('../store/redis/open.ts');
  const opened = await openRedisStore({
    url: store,
    positionFile: new PositionFile(dataDir),
    events: { state() {}, warning() {} },
    makeId,
  });
  const { failed } = opened.status();
  if (failed === null) return redisTransfer(opened, waitReplicas);
  await opened.close();
  throw new StoreUnavailableError(`Redis cannot be used: ${failed}`);
}
