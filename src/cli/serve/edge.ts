import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { AllowlistFollower, AllowlistReader, AllowlistTable, Profiles } from '../../allowlist/index.ts';
import { type CatalogTables, CatalogView, Steering } from '../../catalog/index.ts';
import type { Config } from '../../config/index.ts';
import {
  Answerer,
  DgramEngine,
  discoveryRecords,
  LocalStreams,
  MmsgEngine,
  type MmsgEngineOptions,
  type QueryPolicy,
  QueryState,
  RateLimiter,
  type RateLimitOptions,
  type StreamEngine,
  StreamThreads,
  type TableUpdate,
  type UdpEngine,
  XdpEngine,
  type XdpStatus,
} from '../../dns/index.ts';
import type { Feed } from '../../feed/index.ts';
import type { CounterBlock } from '../../metrics/index.ts';
import {
  parsePrefix,
  parseSocketAddress,
  type SocketAddress,
  TICKET_KEYS_BYTES,
  type TlsCertificate,
  type TlsIdentity,
} from '../../net/index.ts';
import { AnswerCache, CacheReader } from '../../resolver/cache/index.ts';
import type { Resolver } from '../../resolver/index.ts';
import { libc, monotonicClock } from '../../sys/index.ts';
import { XdpError } from '../../sys/xdp/index.ts';
import { crashReport } from '../crash.ts';
import { policyOf } from '../policy.ts';
import { type ExplainReply, explainWith } from './explainer.ts';
import type { Log } from './log.ts';
import type { ExplainRequest } from './operator-socket.ts';
import { NOTHING_KNOWN, type RelayStatus, relayStatuses } from './relay-status.ts';
import { RelayWatch } from './relay-watch.ts';
import type { RemoteList } from './remote-list.ts';
import { openResolver } from './resolver.ts';
import { ShieldRole, type ShieldView } from './shield.ts';

/** How long the keys of session tickets are used: who takes a key can read what was said for so long at most. */
const TICKET_KEYS_MS = 6 * 3_600_000;

export interface EdgeOptions {
  config: Config;
  /** For DNS over TLS and HTTPS, where there are listeners for them. */
  certificate: TlsCertificate | null;
  catalog: CatalogTables;
  /** Of the hashes of names, the one that the catalog was built with. */
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

/** dns.engine asks for what this platform, or this process, does not have. */
export class EngineError extends Error {
  readonly code = 'ENGINE';
  constructor(engine: string, reason: string) {
    super(`dns.engine: ${engine} cannot be had: ${reason}`);
    this.name = 'EngineError';
  }
}

/** The edge role: the list of registered addresses, the catalog, the resolver, and the DNS listeners over them. */
export class Edge {
  readonly follower: AllowlistFollower;
  readonly resolver: Resolver;
  readonly table: AllowlistTable;
  readonly steering: Steering;
  readonly cache: AnswerCache;
  private readonly profiles: Profiles;
  private catalog: CatalogTables;
  private readonly rateLimitOptions: RateLimitOptions;
  private readonly state: QueryState;
  private readonly answerer: Answerer;
  private readonly onFault: (fault: unknown) => void;
  private readonly policy: QueryPolicy;
  private readonly rateLimit = RateLimiter.allocate();
  readonly now = monotonicClock();
  private udp: UdpEngine | null = null;
  private shieldRole: ShieldRole | null = null;
  private streams: StreamEngine | null = null;
  private certificate: TlsCertificate | null;
  private readonly ticketTimer: NodeJS.Timeout;
  /** Of the relays that its answers hold; null where the process is no edge. */
  readonly relayWatch: RelayWatch | null;

  private constructor(options: EdgeOptions) {
    const { config, catalog, seed, feed, log, counters } = options;
    const now = this.now;
    const profiles = new Profiles({ now });
    this.profiles = profiles;
    this.catalog = catalog;
    this.rateLimitOptions = config.dns.rateLimit;
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
      onError: (error) => log.error({ code: codeOf(error) }, 'allowlist change not applied'),
    });
    const { staleSeconds, bytes } = config.cache;
    this.cache = new AnswerCache({ bytes, staleSeconds });
    this.resolver = openResolver({
      ...{ config, cache: this.cache, now, nameSeed: seed, log, onFailure: options.onFailure },
    });
    const policy = policyOf(config, seed);
    this.policy = policy;
    this.state = new QueryState(
      {
        allowlist: new AllowlistReader(this.table.handle()),
        catalog: new CatalogView(this.steering.handle()),
        cache: new CacheReader(this.cache.handle()),
        rateLimiter: new RateLimiter(this.rateLimit, config.dns.rateLimit, seed),
        counters,
      },
      policy,
    );
    this.onFault = (fault) => {
      const { name, code, frames } = crashReport(fault);
      log.error({ name, code, frames }, 'a query was not answered');
    };
    this.answerer = new Answerer(this.state, this.resolver, now, this.onFault);
    this.table.onReplaced((share) => {
      void this.publish({ allowlist: share });
    });
    this.relayWatch = config.roles.includes('edge') ? this.watchRelays(options) : null;
    this.certificate = options.certificate;
    this.ticketTimer = setInterval(() => this.useCertificate(this.certificate), TICKET_KEYS_MS).unref();
  }

  /** Loads the list, or what stands for it, then opens the listeners. @throws ListenError, EngineError, ShieldError; nothing stays open then. */
  static async start(options: EdgeOptions): Promise<Edge> {
    const edge = new Edge(options);
    try {
      await edge.follower.start(options.remote?.fallback);
      options.remote?.keep(edge.follower);
      await edge.listen(options);
      // Tables may have been replaced while the threads started.
      await edge.publish({ allowlist: edge.table.handle(), catalog: edge.steering.handle() });
      await edge.announce();
      return edge;
    } catch (error) {
      await edge.close(0);
      throw error;
    }
  }

  get udpAddresses(): readonly SocketAddress[] {
    return this.udp?.addresses ?? [];
  }

  /** By the key that opens them: dns.tcp, dns.tls, dns.https. */
  get streamAddresses(): StreamEngine['addresses'] {
    return this.streams?.addresses ?? { tcp: [], tls: [], https: [] };
  }

  get engine(): UdpEngine['name'] | null {
    return this.udp?.name ?? null;
  }

  /** Null where there are no UDP listeners. */
  get shield(): ShieldView | null {
    return this.shieldRole?.view ?? null;
  }

  /** How a network interface is served past the sockets; null where none is. */
  get xdp(): XdpStatus | null {
    return this.udp?.xdp ?? null;
  }

  get cacheStats(): { entries: number; bytes: number } {
    return this.cache.stats;
  }

  /** How long the list has been behind what was heard of the log, in seconds; 0 where it is not. */
  get lagSeconds(): number {
    const { behindSinceMs } = this.follower.state;
    return behindSinceMs === null ? 0 : (this.now() - behindSinceMs) / 1000;
  }

  /** How each relay stands. */
  get relayStatuses(): RelayStatus[] {
    return relayStatuses(this.catalog, this.steering.routes, this.relayWatch ?? NOTHING_KNOWN);
  }

  get regions(): string[] {
    return this.catalog.regions.map(({ region }) => region);
  }

  /** Turns to another catalog, and another way to watch its relays: from the next query on, in every thread. */
  async useCatalog(catalog: CatalogTables, health: Config['health']): Promise<void> {
    this.relayWatch?.useCatalog(catalog, health);
    const share = this.steering.rebuild(catalog, this.relayWatch?.conditions);
    this.catalog = catalog;
    await this.publish({ catalog: share });
    this.steering.settled();
  }

  /** Shows another certificate to whoever connects from now on, with new keys for session tickets. */
  useCertificate(certificate: TlsCertificate | null): void {
    this.certificate = certificate;
    if (certificate !== null) this.streams?.useIdentity(identityOf(certificate));
    void this.announce();
  }

  /** Takes no more queries, answers those that it has, for graceMs at most, and closes everything. */
  async close(graceMs: number): Promise<void> {
    this.follower.stop();
    clearInterval(this.ticketTimer);
    this.relayWatch?.close();
    const drained = this.streams?.stop();
    this.shieldRole?.close();
    await this.udp?.stop();
    await Promise.race([Promise.all([this.answerer.idle(), drained]), delay(graceMs)]);
    await this.streams?.close();
    await this.udp?.close();
    await this.resolver.close();
  }

  /** What the edge would answer, and why. */
  explain(request: ExplainRequest): ExplainReply {
    const { table, profiles, steering, catalog, cache, policy, rateLimitOptions: rateLimit } = this;
    const { discovery } = this.state;
    const relays = this.relayWatch ?? NOTHING_KNOWN;
    const tables = { table, profiles, steering, catalog, cache, rateLimit, relays };
    return explainWith({ ...tables, policy: { ...policy, discovery } }, request, this.now());
  }

  private watchRelays({ config, catalog, log }: EdgeOptions): RelayWatch {
    return new RelayWatch({
      health: config.health,
      catalog,
      log,
      now: this.now,
      random: Math.random,
      onChange: (conditions) => void this.publish({ catalog: this.steering.useConditions(conditions) }),
    });
  }

  /** Gives all threads new tables, this one at once. */
  private async publish(update: TableUpdate): Promise<void> {
    this.state.attach(update);
    await Promise.all([this.udp?.publish(update), this.streams?.publish(update)]);
  }

  /** Lets clients discover the encrypted listeners (RFC 9462), by the certificate's name. */
  private async announce(): Promise<void> {
    const { tls, https } = this.streamAddresses;
    const names = this.certificate?.names ?? [];
    await this.publish({ discovery: discoveryRecords({ names, tls, https }) });
  }

  private async listen(options: EdgeOptions): Promise<void> {
    const { config, onCounters, onFailure } = options;
    const { answerer, resolver } = this;
    const workers = config.dns.workers === 'auto' ? automaticWorkers() : config.dns.workers;
    const shared = {
      allowlist: this.table.handle(),
      catalog: this.steering.handle(),
      cache: this.cache.handle(),
      rateLimit: this.rateLimit,
      rateLimitOptions: config.dns.rateLimit,
      policy: this.policy,
    };
    const listeners = {
      tcp: config.dns.tcp.map(readListener),
      tls: config.dns.tls.map(readListener),
      https: config.dns.https.map(readListener),
    };
    const limits = config.dns.tcpLimits;
    const proxies = config.dns.proxyProtocolFrom.map((text) => parsePrefix(text)!);
    if (workers === 1 && listeners.tls.length === 0 && listeners.https.length === 0) {
      const { seed } = this.policy;
      this.streams = await LocalStreams.start({
        ...{ tcp: listeners.tcp, limits, proxies, answerer, seed, now: this.now },
      });
    } else {
      this.streams = await StreamThreads.start({
        ...{ ...shared, addresses: listeners, workers, limits, proxies, resolver, onCounters, onFailure },
        identity: this.certificate === null ? null : identityOf(this.certificate),
        onFault: this.onFault,
      });
    }
    const addresses = config.dns.udp.map(readListener);
    const { engine } = config.dns;
    if (libc() === null && (engine === 'mmsg' || engine === 'af-xdp')) {
      throw new EngineError(engine, 'this platform lacks its system calls (or koffi)');
    }
    const blocks: CounterBlock[] = [];
    if (engine === 'dgram' || libc() === null) {
      this.udp = await DgramEngine.start({ addresses, answerer });
    } else {
      const onThread = (block: CounterBlock): void => {
        blocks.push(block);
        onCounters(block);
      };
      const engineOptions = { ...shared, addresses, workers, answerer, onCounters: onThread, onFailure };
      this.udp =
        engine === 'af-xdp' && addresses.length > 0
          ? await startXdp(config, engineOptions)
          : await MmsgEngine.start(engineOptions);
    }
    if (addresses.length > 0) this.guard(options, this.udp, blocks);
  }

  /** @param blocks counters of the UDP threads */
  private guard({ config, log }: EdgeOptions, engine: UdpEngine, blocks: readonly CounterBlock[]): void {
    const { table, now } = this;
    this.shieldRole = new ShieldRole({ config: config.dns, engine, table, blocks, now, log });
  }
}

/** Whoever asks for it by name wants to know when it cannot be had, and why: no other engine takes its place. */
async function startXdp({ dns }: Config, options: MmsgEngineOptions): Promise<UdpEngine> {
  const { interface: name, mode, queues } = dns.xdp;
  try {
    return await XdpEngine.start({
      ...options,
      interface: name!,
      modes: mode === 'auto' ? ['driver', 'generic'] : [mode],
      queues: queues === 'auto' ? null : queues,
    });
  } catch (error) {
    if (error instanceof XdpError) throw new EngineError('af-xdp', error.message);
    throw error;
  }
}

/** A processor is left to the thread that resolves, registers and speaks TCP. */
function automaticWorkers(): number {
  return Math.min(Math.max(availableParallelism() - 1, 1), 64);
}

function identityOf({ cert, key }: TlsCertificate): TlsIdentity {
  return { cert, key, ticketKeys: randomBytes(TICKET_KEYS_BYTES) };
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
