import {
  AllowlistFollower,
  type AllowlistHandle,
  AllowlistTable,
  Profiles,
} from '../../../allowlist/index.ts';
import { type CatalogHandle, type CatalogTables, Steering } from '../../../catalog/index.ts';
import { type Config, reachedAt } from '../../../config/index.ts';
import type { ResolverThread } from '../../../dns/index.ts';
import type { Feed } from '../../../feed/index.ts';
import { AnswerCache, type CacheHandle } from '../../../resolver/cache/index.ts';
import type { UpstreamConfig } from '../../../resolver/index.ts';
import { monotonicClock } from '../../../sys/index.ts';
import { errorCode } from '../../error-code.ts';
import type { Log } from '../log.ts';
import { ReadYourWrites } from './read-your-writes.ts';
import { NOTHING_KNOWN, type RelayStatus, relayStatuses } from './relay-status.ts';
import { RelayWatch } from './relay-watch.ts';
import type { RemoteAllowlist } from './remote-allowlist.ts';
import { changedUpstreams, startResolverThread } from './resolver.ts';

/** Tables that replace earlier ones, for threads to attach to. */
export interface TablesUpdate {
  readonly allowlist?: AllowlistHandle;
  readonly catalog?: CatalogHandle;
  readonly cache?: CacheHandle;
  readonly upstreams?: readonly UpstreamConfig[];
}

/** A role whose threads read the tables. Resolves once all of them have attached. */
export type TablesReader = (update: TablesUpdate) => Promise<void>;

export interface TablesOptions {
  readonly config: Config;
  readonly catalog: CatalogTables;
  /** Name-hash seed; must match the one the catalog was built with. */
  readonly seed: number;
  /** Source of the allowlist: the embedded store's feed, or the one of `remote`. */
  readonly feed: Feed;
  /** Null with the embedded store. */
  readonly remote: RemoteAllowlist | null;
  readonly log: Log;
  /** Called when the resolver's thread has crashed. */
  onFailure(error: Error): void;
}

/**
 * The state that a process follows, shared by its edge and its relay: allowlist and profiles, catalog and steering,
 * answer cache, the resolver's thread, and on an edge the health of its relays.
 */
export class Tables {
  readonly now = monotonicClock();
  readonly allowlist = new AllowlistTable();
  readonly profiles: Profiles;
  readonly steering: Steering;
  readonly follower: AllowlistFollower;
  private currentCache: AnswerCache;
  private currentConfig: Config;
  readonly resolver: ResolverThread;
  readonly remote: RemoteAllowlist | null;
  /** Health of the relays in this edge's answers; null on a process without the edge role. */
  readonly relayWatch: RelayWatch | null;
  private readonly log: Log;
  private barrier: ReadYourWrites | null = null;
  private currentCatalog: CatalogTables;
  private readonly readers = new Set<TablesReader>();

  private constructor(
    { config, catalog, feed, remote, log }: TablesOptions,
    cache: AnswerCache,
    resolver: ResolverThread,
  ) {
    const { now, allowlist } = this;
    this.remote = remote;
    this.log = log;
    this.currentCatalog = catalog;
    // An acknowledged update shows that a thread has finished the batch it was in.
    this.profiles = new Profiles({ quiesce: () => this.publish({}) });
    this.steering = new Steering(catalog);
    this.profiles.onInterned((id, profile) => this.steering.setProfile(id, profile));
    this.follower = new AllowlistFollower({
      feed,
      table: allowlist,
      profiles: this.profiles,
      now,
      onReload: ({ reason, entries, durationMs }) => {
        log.warn({ reason, entries, durationMs: Math.round(durationMs) }, 'allowlist reloaded');
      },
      onError: (error) => log.error({ code: errorCode(error) }, 'allowlist change not applied'),
    });
    this.currentCache = cache;
    this.currentConfig = config;
    this.resolver = resolver;
    allowlist.onReplaced((handle) => void this.publish({ allowlist: handle }));
    this.relayWatch = config.roles.includes('edge')
      ? new RelayWatch({
          health: config.health,
          catalog,
          log,
          now,
          random: Math.random,
          reachedAt: (address) => reachedAt(address, config),
          onChange: (conditions) => void this.publish({ catalog: this.steering.useConditions(conditions) }),
        })
      : null;
  }

  /** Loads the allowlist, or the last known one where the store does not answer. */
  static async open(options: TablesOptions): Promise<Tables> {
    const { config, seed: nameSeed, log, onFailure } = options;
    const cache = openCache(config);
    const resolver = await startResolverThread({ config, cache: cache.handle(), nameSeed, log, onFailure });
    const tables = new Tables(options, cache, resolver);
    try {
      const { remote } = options;
      await tables.follower.start(remote?.fallback);
      remote?.keep(tables.follower);
      tables.barrier = new ReadYourWrites(tables.follower, options.feed);
      return tables;
    } catch (error) {
      await tables.close();
      throw error;
    }
  }

  /** Null until the allowlist is loaded. */
  get readYourWrites(): ReadYourWrites | null {
    return this.barrier;
  }

  get cache(): AnswerCache {
    return this.currentCache;
  }

  get catalog(): CatalogTables {
    return this.currentCatalog;
  }

  /** Seconds that the allowlist has been behind the changes it knows of; 0 when it is current. */
  get lagSeconds(): number {
    const { behindSinceMs } = this.follower.state;
    return behindSinceMs === null ? 0 : (this.now() - behindSinceMs) / 1000;
  }

  get relayStatuses(): RelayStatus[] {
    return relayStatuses(this.catalog, this.steering.routes, this.relayWatch ?? NOTHING_KNOWN);
  }

  /** Gives a reader the current tables, and all later ones. Resolves once its threads have attached. */
  async addReader(reader: TablesReader): Promise<void> {
    this.readers.add(reader);
    await reader({ allowlist: this.allowlist.handle(), catalog: this.steering.handle() });
  }

  /** Switches to another catalog and health configuration. Threads use it from their next query. */
  async useCatalog(catalog: CatalogTables, health: Config['health']): Promise<void> {
    this.relayWatch?.useCatalog(catalog, health);
    const handle = this.steering.rebuild(catalog, this.relayWatch?.conditions);
    this.currentCatalog = catalog;
    await this.publish({ catalog: handle });
    this.steering.settled();
  }

  /** Takes changed upstreams and another size of the cache, which is empty then. */
  async useConfig(config: Config): Promise<void> {
    const before = this.currentConfig;
    this.currentConfig = config;
    if (
      config.cache.bytes !== before.cache.bytes ||
      config.cache.staleSeconds !== before.cache.staleSeconds
    ) {
      this.currentCache = openCache(config);
      const update = { cache: this.cache.handle() };
      await this.resolver.publish(update);
      await this.publish(update);
    }
    const upstreams = changedUpstreams(before, config, this.log);
    if (upstreams !== null)
      await this.resolver.useUpstreams(upstreams, (known) => this.publish({ upstreams: known }));
  }

  /** Close the roles first: their threads read the tables and wait for the resolver. */
  async close(): Promise<void> {
    this.relayWatch?.close();
    this.barrier?.close();
    this.follower.stop();
    await this.resolver.stop();
  }

  private async publish(update: TablesUpdate): Promise<void> {
    await Promise.all([...this.readers].map((reader) => reader(update)));
  }
}

function openCache({ cache: { bytes, staleSeconds } }: Config): AnswerCache {
  return new AnswerCache({ bytes, staleSeconds });
}
