import { InvalidFieldError } from './errors.ts';
import { checkPerAccount, checkRegion } from './fields.ts';
import { makeId } from './ids.ts';
import { PositionFile } from './position-file.ts';
import { type OpenRegistryOptions, type Registry, StoreRegistry } from './registry.ts';
import { openSqliteStore } from './store/sqlite.ts';
import type { Store } from './store/store.ts';

const MAX_LEASE_DAYS = 3_650;

/**
 * Opens the store, making it where there is none. A Redis that does not answer, or has lost data, is told by each
 * call and by `status`, and no reason not to open.
 *
 * Throws InvalidField, StoreUnavailable, StoreCorrupt, StoreVersion, StoreLocked: nothing was changed then.
 */
export async function openRegistry(options: OpenRegistryOptions): Promise<Registry> {
  checkRegion(options.defaultRegion(), options.regions());
  checkPerAccount(options.perAccount);
  if (!(options.leaseDays > 0 && options.leaseDays <= MAX_LEASE_DAYS)) {
    throw new InvalidFieldError('leaseDays', `more than 0 and at most ${MAX_LEASE_DAYS}`);
  }
  if (options.store !== 'embedded') return new StoreRegistry(await openShared(options), 0, options);
  const store = await openSqliteStore({
    dataDir: options.dataDir,
    epoch: makeId(options.randomBytes),
    onFailed: options.onFailed ?? (() => {}),
  });
  const { seq } = await store.state();
  return new StoreRegistry(store, seq, options);
}

/** Redis' client is loaded where it is used. */
async function openShared(options: OpenRegistryOptions): Promise<Store> {
  const { openRedisStore, storeFace } = await import('./store/redis.ts');
  const store = await openRedisStore({
    url: options.store,
    keeper: new PositionFile(options.dataDir),
    news: options.news ?? { state() {}, warning() {} },
    makeId: () => makeId(options.randomBytes),
    ...(options.heard !== undefined && { heard: options.heard }),
    ...(options.logSeconds !== undefined && { chores: { logKeepMs: options.logSeconds * 1_000 } }),
  });
  return storeFace(store);
}
