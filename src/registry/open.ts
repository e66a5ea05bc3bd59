import { InvalidFieldError } from './errors.ts';
import { checkPerAccount, checkRegion } from './fields.ts';
import { makeId } from './ids.ts';
import { Registry } from './registry.ts';
import { MovableStore } from './store/movable-store.ts';
import { PositionFile } from './store/position-file.ts';
import { openSqliteStore } from './store/sqlite/open.ts';
import type { Store } from './store/store.ts';
import type { OpenRegistryOptions } from './types.ts';

const MAX_LEASE_DAYS = 3_650;

/**
 * Opens the store, or makes it. A Redis that is away or has lost data is reported by calls and `status`, not here.
 *
 * @throws InvalidFieldError, StoreUnavailableError, StoreCorruptError, StoreVersionError, StoreLockedError; nothing was
 * changed then
 */
export async function openRegistry(options: OpenRegistryOptions): Promise<Registry> {
  checkRegion(options.defaultRegion(), options.regions());
  checkPerAccount(options.perAccount);
  if (!(options.leaseDays > 0 && options.leaseDays <= MAX_LEASE_DAYS)) {
    throw new InvalidFieldError('leaseDays', `more than 0 and at most ${MAX_LEASE_DAYS}`);
  }
  const isShared = options.store !== 'embedded';
  const open = (): Promise<Store> => (isShared ? openShared(options) : openEmbedded(options));
  const { peer } = options;
  const store =
    peer === undefined
      ? await MovableStore.open(isShared, open)
      : await MovableStore.borrow(peer, isShared, open);
  const seq = isShared ? 0 : (await store.face.state()).seq;
  return new Registry(store.face, seq, options, store);
}

function openEmbedded(options: OpenRegistryOptions): Promise<Store> {
  return openSqliteStore({
    dataDir: options.dataDir,
    epoch: makeId(options.randomBytes),
    onFailed: options.onFailed ?? (() => {}),
    onHealth: (cause) => options.events?.state(cause === null ? 'up' : 'unreachable', cause),
    ...(options.readYourWrites !== undefined && { readYourWrites: options.readYourWrites }),
  });
}

/** Imports the Redis client lazily: installations with the embedded store don't load it. */
async function openShared(options: OpenRegistryOptions): Promise<Store> {
  const { ErasedIds, openRedisStore, storeFace } = await import('./store/redis/open.ts');
  const store = await openRedisStore({
    url: options.store,
    positionFile: new PositionFile(options.dataDir),
    erasedIds: new ErasedIds(options.dataDir),
    events: options.events ?? { state() {}, warning() {} },
    makeId: () => makeId(options.randomBytes),
    waitReplicas: options.waitReplicas ?? 0,
    ...(options.readYourWrites !== undefined && { readYourWrites: options.readYourWrites }),
    ...(options.logSeconds !== undefined && { leader: { logKeepMs: options.logSeconds * 1_000 } }),
  });
  return storeFace(store);
}
