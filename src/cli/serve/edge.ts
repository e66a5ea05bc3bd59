import { availableParallelism } from 'node:os';
import { AllowlistFollower, AllowlistReader, AllowlistTable, Profiles } from '../../allowlist/index.ts';
import { type CatalogTables, CatalogView, Steering } from '../../catalog/index.ts';
import type { Config } from '../../config/index.ts';
import {
  Answerer,
  DgramEngine,
  MmsgEngine,
  QueryState,
  RateLimiter,
  TcpListener,
  type UdpEngine,
} from '../../dns/index.ts';
import type { Feed } from '../../feed/index.ts';
import type { CounterBlock } from '../../metrics/index.ts';
import { parseSocketAddress, type SocketAddress } from '../../net/index.ts';
import { AnswerCache, CacheReader } from '../../resolver/cache/index.ts';
import type { Resolver } from '../../resolver/index.ts';
import { libc, monotonicClock } from '../../sys/index.ts';
import { crashReport } from '../crash.ts';
import type { Log } from './log.ts';
import { openNamesOf } from './open-names.ts';
import type { RemoteList } from './remote-list.ts';
import { openResolver } from './resolver.ts';

export interface EdgeOptions {
  config: Config;
  catalog: CatalogTables;
  /** Of the hashes of names, the one that the catalogue was built with. */
  seed: number;
  feed: Feed;
  /** Where the store is elsewhere: what is known of it, and of the list on disk. */
  remote: RemoteList | null;
  log: Log;
  /** The main thread's. */
  counters: CounterBlock;
  /** Called with the counters of each further thread. */
  onCounters(block: CounterBlock): void;
  /** The edge cannot answer any more. */
  onFailure(error: Error): void;
}

/** dns.engine asks for batched system calls, which this platform does not have. */
export class EngineError extends Error {
  readonly code = 'ENGINE';
  constructor() {
    super(
      'dns.engine: found "mmsg", expected "auto" or "dgram": this platform lacks its system calls (or koffi)',
    );
    this.name = 'EngineError';
  }
}

/** The edge role: the list of registered addresses, the catalogue, the resolver, and the DNS listeners over them. */
export class Edge {
  readonly follower: AllowlistFollower;
  readonly resolver: Resolver;
  private readonly table: AllowlistTable;
  private readonly steering: Steering;
  private readonly cache: AnswerCache;
  private readonly state: QueryState;
  private readonly answerer: Answerer;
  private readonly rateLimit = RateLimiter.allocate();
  private readonly now = monotonicClock();
  private udp: UdpEngine | null = null;
  private tcp: TcpListener | null = null;

  private constructor(options: EdgeOptions) {
    const { config, catalog, seed, feed, log, counters } = options;
    const now = this.now;
    const profiles = new Profiles({ now });
    this.steering = new Steering(catalog);
    profiles.onInterned((id, profile) => this.steering.setProfile(id, profile));
    this.table = new AllowlistTable();
    this.follower = new AllowlistFollower({
      feed,
      table: this.table,
      profiles,
      now,
      onReload: ({ reason, entries, durationMs }) => {
        log.warn({ reason, entries, durationMs: Math.round(durationMs) }, 'allowlist loaded again');
      },
      onFault: (fault) => log.error({ code: codeOf(fault) }, 'allowlist change not applied'),
    });
    const { staleSeconds, bytes } = config.cache;
    this.cache = new AnswerCache({ bytes, staleSeconds });
    this.resolver = openResolver({ config, cache: this.cache, now, nameSeed: seed, log });
    this.state = new QueryState(
      {
        allowlist: new AllowlistReader(this.table.share()),
        catalog: new CatalogView(this.steering.share()),
        cache: new CacheReader(this.cache.share()),
        rateLimiter: new RateLimiter(this.rateLimit, config.dns.rateLimit, seed),
        counters,
      },
      policyOf(config, seed),
    );
    this.answerer = new Answerer(this.state, this.resolver, now, (fault) => {
      const { name, code, frames } = crashReport(fault);
      log.error({ name, code, frames }, 'a query was not answered');
    });
    this.table.onReplaced((share) => {
      this.state.allowlist.attach(share);
      void this.udp?.publish({ allowlist: share });
    });
  }

  /** Loads the list, or what stands for it, then opens the listeners. @throws ListenError, EngineError; nothing stays open then. */
  static async start(options: EdgeOptions): Promise<Edge> {
    const edge = new Edge(options);
    try {
      await edge.follower.start(options.remote?.fallback);
      options.remote?.keep(edge.follower);
      await edge.listen(options);
      return edge;
    } catch (error) {
      await edge.close(0);
      throw error;
    }
  }

  get udpAddresses(): readonly SocketAddress[] {
    return this.udp?.addresses ?? [];
  }

  get tcpAddresses(): readonly SocketAddress[] {
    return this.tcp?.addresses ?? [];
  }

  get engine(): UdpEngine['name'] | null {
    return this.udp?.name ?? null;
  }

  get cacheStats(): { entries: number; bytes: number } {
    return this.cache.stats;
  }

  /** How long the list has been behind what was heard of the log, in seconds; 0 where it is not. */
  get lagSeconds(): number {
    const { behindSinceMs } = this.follower.state;
    return behindSinceMs === null ? 0 : (this.now() - behindSinceMs) / 1000;
  }

  /** Turns to another catalogue: from the next query on, in every thread. */
  async useCatalog(catalog: CatalogTables): Promise<void> {
    const share = this.steering.rebuild(catalog);
    this.state.catalog.attach(share);
    await this.udp?.publish({ catalog: share });
    this.steering.settled();
  }

  /** Takes no more queries, answers those that it has, for graceMs at most, and closes everything. */
  async close(graceMs: number): Promise<void> {
    this.follower.stop();
    this.tcp?.stop();
    await this.udp?.stop();
    const written = this.answerer.idle().then(() => this.tcp?.drained());
    await Promise.race([written, delay(graceMs)]);
    await this.tcp?.close();
    await this.udp?.close();
    await this.resolver.close();
  }

  private async listen({ config, seed, onCounters, onFailure }: EdgeOptions): Promise<void> {
    const { answerer, now } = this;
    this.tcp = await TcpListener.start({
      addresses: config.dns.tcp.map(readListener),
      answerer,
      limits: config.dns.tcpLimits,
      now,
    });
    const addresses = config.dns.udp.map(readListener);
    const { engine } = config.dns;
    if (engine === 'mmsg' && libc() === null) throw new EngineError();
    if (engine === 'dgram' || libc() === null) {
      this.udp = await DgramEngine.start({ addresses, answerer });
      return;
    }
    this.udp = await MmsgEngine.start({
      addresses,
      workers: config.dns.workers === 'auto' ? automaticWorkers() : config.dns.workers,
      allowlist: this.table.share(),
      catalog: this.steering.share(),
      cache: this.cache.share(),
      rateLimit: this.rateLimit,
      rateLimitOptions: config.dns.rateLimit,
      policy: policyOf(config, seed),
      answerer,
      onCounters,
      onFailure,
    });
    // Tables may have been replaced while the threads started.
    await this.udp.publish({ allowlist: this.table.share(), catalog: this.steering.share() });
  }
}

/** A processor is left to the thread that resolves, registers and speaks TCP. */
function automaticWorkers(): number {
  return Math.min(Math.max(availableParallelism() - 1, 1), 64);
}

function policyOf(config: Config, seed: number) {
  const { answerTtlSeconds } = config.catalog;
  return { seed, answerTtlSeconds, unregistered: config.dns.unregistered, openNames: openNamesOf(config) };
}

/** The configuration has been checked: the text is a socket address. */
function readListener(text: string): SocketAddress {
  return parseSocketAddress(text)!;
}

function codeOf(fault: unknown): string {
  return String((fault as { code?: unknown }).code ?? 'unknown');
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}
