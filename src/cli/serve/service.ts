import { randomBytes, randomInt } from 'node:crypto';
import type { Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { CatalogTables } from '../../catalog/index.ts';
import type { Config, LoadedConfig } from '../../config/index.ts';
import { CounterBlock } from '../../metrics/index.ts';
import { LaterExposition, MetricsServer, type ReadinessCheck } from '../../metrics/scrape/index.ts';
import {
  type Address,
  formatAddress,
  formatSocketAddress,
  parseAddress,
  parseSocketAddress,
  scopeOf,
  type TlsCertificate,
} from '../../net/index.ts';
import type { Registry } from '../../registry/index.ts';
import { monotonicClock } from '../../sys/index.ts';
import { loadCatalog } from '../catalog.ts';
import { certificateWarning, readCertificate } from '../certificate.ts';
import { type AdminKey, readAdminKey } from './admin-key.ts';
import { Control } from './control.ts';
import { Edge } from './edge.ts';
import { type Greeting, nextSteps, readableGreeting } from './greeting.ts';
import { HeardChanges } from './heard.ts';
import type { Log } from './log.ts';
import { answerOperator } from './operator.ts';
import { openOperatorSocket } from './operator-socket.ts';
import type { RelayRole } from './relay.ts';
import { relayHealth, relayReadiness } from './relay-report.ts';
import { changedKeys } from './reload.ts';
import { LIST_STATES, RemoteList } from './remote-list.ts';
import { copyResolverCounters } from './resolver.ts';
import type { ShieldView } from './shield.ts';
import { storeNews } from './store-news.ts';

/** How long what is in flight may take once the process has been told to stop. */
const GRACE_MS = 10_000;
const EXPIRY_INTERVAL_MS = 60_000;
/** How often it is seen whether leases are to be expired here: of several controls, one does it. */
const EXPIRY_LOOK_MS = 1_000;
/** How long the start may wait for leases that ended while nobody looked. */
const FIRST_EXPIRY_MS = 10_000;

export interface ServiceOptions {
  loaded: LoadedConfig;
  log: Log;
  version: string;
  /** Whether a person reads the output. */
  terminal: boolean;
  write(text: string): void;
  /** Something that nobody can serve without has ended. */
  onFailure(error: Error): void;
}

/** One process: the roles of its configuration, put together. */
export class Service {
  private readonly options: ServiceOptions;
  private readonly log: Log;
  private readonly seed = randomInt(0x1_0000_0000) | 0;
  private readonly counters = new CounterBlock();
  private loaded: LoadedConfig;
  private catalog: CatalogTables | null = null;
  private certificate: TlsCertificate | null = null;
  private registry: Registry | null = null;
  private edge: Edge | null = null;
  private relay: RelayRole | null = null;
  private heard: HeardChanges | null = null;
  private remote: RemoteList | null = null;
  private control: Control | null = null;
  private metrics: MetricsServer | null = null;
  private exposition: LaterExposition | null = null;
  private adminKey: AdminKey | null = null;
  private operatorSocket: Server | null = null;
  private readonly blocks: CounterBlock[] = [this.counters];
  private expiry: NodeJS.Timeout | null = null;
  private reloading: Promise<void> = Promise.resolve();
  private stopping = false;

  private constructor(options: ServiceOptions) {
    this.options = options;
    this.log = options.log;
    this.loaded = options.loaded;
  }

  /** Starts all roles. @throws errors with a code and one clear line; what was opened is closed again. */
  static async start(options: ServiceOptions): Promise<Service> {
    const service = new Service(options);
    try {
      await service.open();
      return service;
    } catch (error) {
      await service.stop(0);
      throw error;
    }
  }

  /**
   * Reads catalog and configuration again. What is wrong with them is logged, and the old ones stay; keys
   * that only a restart takes are named.
   */
  reload(load: () => LoadedConfig): Promise<void> {
    this.reloading = this.reloading.then(() => this.reloadNow(load));
    return this.reloading;
  }

  /** Stops accepting, finishes what is in flight, for graceMs at most, and closes everything. */
  async stop(graceMs = GRACE_MS): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    this.operatorSocket?.close();
    if (this.expiry !== null) clearInterval(this.expiry);
    await this.reloading;
    await this.exposition?.load();
    // Tunnels are checked against the edge's list as long as they last.
    await this.relay?.close(graceMs === 0 ? 0 : this.config.relay.drainSeconds * 1000);
    await Promise.all([this.control?.close(graceMs), this.edge?.close(graceMs)]);
    this.heard?.close();
    await this.remote?.close();
    await this.registry?.close();
    await this.metrics?.close();
  }

  private get config(): Config {
    return this.loaded.config;
  }

  private async open(): Promise<void> {
    const { config, log } = this;
    const { version } = this.options;
    const catalog = await loadCatalog(this.loaded, this.seed);
    this.catalog = catalog.tables;
    this.certificate = readCertificate(config);
    this.warnOfCertificate();
    for (const warning of [...this.loaded.warnings, ...catalog.warnings])
      log.warn({ warning }, 'configuration');
    const isControl = config.roles.includes('control');
    if (isControl || config.store === 'embedded') {
      this.registry = await this.openRegistry();
      await this.expireLeases(this.registry);
    }
    if (isControl) this.adminKey = readAdminKey(config.control.adminKey, config.dataDir);
    if (config.roles.includes('edge') || config.roles.includes('relay')) await this.openEdge();
    if (config.roles.includes('relay')) await this.openRelay(this.edge!);
    if (isControl) {
      this.control = await Control.start({
        config,
        registry: this.registry!,
        adminKey: this.adminKey!.key,
        version,
        log,
        counters: this.counters,
        resolver: this.edge?.resolver ?? null,
        regions: () => Object.keys(this.config.regions),
        services: () =>
          this.catalog!.services.map(({ service, title, regions }) => ({ id: service, title, regions })),
      });
    }
    await this.openMetrics();
    if (this.edge !== null) await this.listenToOperator(this.edge);
    this.announce();
    void this.exposition!.load();
  }

  private async listenToOperator(edge: Edge): Promise<void> {
    const { dataDir } = this.config;
    this.operatorSocket = await openOperatorSocket(dataDir, (request) =>
      answerOperator(request, edge, this.relay),
    );
    if (this.operatorSocket === null)
      this.log.warn({}, 'explain and relay cannot ask this process: no socket in dataDir');
  }

  /** Loaded here, so that an edge that follows a store elsewhere is without it. */
  private async openRegistry(): Promise<Registry> {
    const { openRegistry } = await import('../../registry/index.ts');
    const { config } = this;
    const { onFailure } = this.options;
    return openRegistry({
      store: config.store,
      dataDir: config.dataDir,
      ...config.registration,
      defaultRegion: () => this.config.defaultRegion,
      regions: () => Object.keys(this.config.regions),
      ownAddresses: ownAddresses(config),
      now: Date.now,
      randomBytes,
      onFailed: onFailure,
      news: storeNews(this.log),
      heard: async (seq) => (await this.heard?.reached(seq)) ?? true,
    });
  }

  private async openEdge(): Promise<void> {
    const { config, log } = this;
    if (config.store !== 'embedded') {
      const { store: url, dataDir } = config;
      this.remote = await RemoteList.open({ url, dataDir, log, now: monotonicClock(), wallClock: Date.now });
    }
    this.edge = await Edge.start({
      config: config.roles.includes('edge') ? config : withoutListeners(config),
      certificate: this.certificate,
      catalog: this.catalog!,
      seed: this.seed,
      feed: this.remote?.feed ?? this.registry!.feed,
      remote: this.remote,
      log,
      counters: this.counters,
      onCounters: (block) => this.blocks.push(block),
      onFailure: this.options.onFailure,
    });
    if (this.remote !== null) this.heard = new HeardChanges(this.edge.follower, this.remote.feed);
  }

  /** Loaded here, so that a process without the role is without it. */
  private async openRelay(edge: Edge): Promise<void> {
    const { RelayRole } = await import('./relay.ts');
    const { config, seed, log } = this;
    const { onFailure } = this.options;
    this.relay = await RelayRole.start({ config, edge, catalog: this.catalog!, seed, log, onFailure });
  }

  private async openMetrics(): Promise<void> {
    const { edge, registry, remote, relay } = this;
    const xdp = edge?.xdp ?? null;
    const storeIsUp = () => registry?.status().failed === null;
    const exposition = new LaterExposition({
      blocks: this.blocks,
      sources: {
        ...(registry !== null && { store: storeIsUp }),
        ...(relay !== null && { relay: relay.metrics }),
        ...(edge !== null && {
          allowlist: () => {
            const { entries, seq, lagChanges, reloads, digestMismatches } = edge.follower.state;
            return {
              entries,
              seq,
              reloads,
              digestMismatches,
              lagChanges: Math.max(lagChanges, remote?.lagChanges ?? 0),
              lagSeconds: Math.max(edge.lagSeconds, remote?.lagSeconds ?? 0),
            };
          },
          ...(edge.relayWatch !== null && { relays: () => relayHealth(edge, edge.relayWatch!) }),
          upstreams: () => edge.resolver.upstreams(),
          cache: () => edge.cacheStats,
        }),
        ...(edge?.shield != null && { shield: () => edge.shield! }),
        ...(xdp !== null && { xdp: () => ({ ...xdp, drops: xdp.drops() }) }),
        ...(remote !== null && {
          remoteList: () => {
            const { state, ageSeconds, heartbeatAgeSeconds } = remote;
            return { states: LIST_STATES, state, ageSeconds, heartbeatAgeSeconds };
          },
        }),
      },
    });
    this.exposition = exposition;
    const checks: ReadinessCheck[] = [];
    if (registry !== null) {
      // A list that is followed by itself serves on without the store, and answers for the process.
      const check = () => ({
        ready: storeIsUp() || remote !== null,
        state: registry.status().failed ?? 'up',
      });
      checks.push({ name: 'store', check });
    }
    if (edge !== null) {
      checks.push({ name: 'allowlist', check: () => listReadiness(edge, remote) });
      if (edge.shield != null) checks.push({ name: 'shield', check: () => shieldReadiness(edge.shield!) });
      if (edge.relayWatch?.isProbing)
        checks.push({ name: 'relays', check: () => relayReadiness(edge, edge.relayWatch!) });
    }
    if (relay !== null) checks.push({ name: 'relay', check: relay.readiness });
    this.metrics = await MetricsServer.open({
      listen: this.config.metrics.listen.map((text) => {
        const { address, port } = parseSocketAddress(text)!;
        return { address: formatAddress(address), port };
      }),
      checks,
      exposition: {
        contentType: exposition.contentType,
        text: () => {
          if (edge !== null) copyResolverCounters(edge.resolver, this.counters);
          return exposition.text();
        },
      },
    });
  }

  /**
   * Expires leases from now on. Resolves, after a bounded time, when those are gone that ended while the process was
   * off, so that the edge never serves them. Where several controls share a store, the one that does the chores does it.
   */
  private async expireLeases(registry: Registry): Promise<void> {
    const now = monotonicClock();
    let dueAtMs = Number.NEGATIVE_INFINITY;
    const expire = async (): Promise<void> => {
      if (!registry.doesChores || now() < dueAtMs) return;
      dueAtMs = now() + EXPIRY_INTERVAL_MS;
      try {
        await registry.expireLeases();
      } catch (error) {
        this.log.error({ code: (error as { code?: string }).code ?? 'unknown' }, 'leases not expired');
      }
    };
    this.expiry = setInterval(() => void expire(), EXPIRY_LOOK_MS).unref();
    await Promise.race([expire(), delay(FIRST_EXPIRY_MS, undefined, { ref: false })]);
  }

  private warnOfCertificate(): void {
    const warning = this.certificate === null ? null : certificateWarning(this.certificate, Date.now());
    if (warning !== null) this.log.warn({ warning }, 'configuration');
  }

  private announce(): void {
    const { edge, log, adminKey, relay } = this;
    const api = (this.control?.addresses ?? []).map(({ host, port }) => urlOf(host, port));
    const udp = edge?.udpAddresses.map(formatSocketAddress) ?? [];
    const streams = edge?.streamAddresses;
    const tcp = streams?.tcp.map(formatSocketAddress) ?? [];
    const tls = streams?.tls.map(formatSocketAddress) ?? [];
    const https = streams?.https.map(formatSocketAddress) ?? [];
    const metrics = this.metrics!.addresses.map(({ address, port }) => urlOf(address, port));
    const engine = edge?.engine ?? null;
    if (adminKey?.made) {
      const dns = udp[0] ?? null;
      const greeting: Greeting = {
        api,
        dns: udp,
        adminKeyFile: adminKey.file,
        next: nextSteps(api[0] ?? '', adminKey.file, dns),
      };
      if (this.options.terminal) this.options.write(readableGreeting(greeting));
      else log.info(greeting, 'first start');
    }
    const relayed = relay !== null && {
      relay: {
        tls: relay.relay.tlsAddresses.map(formatSocketAddress),
        http: relay.relay.httpAddresses.map(formatSocketAddress),
        quic: relay.relay.quicAddresses.map(formatSocketAddress),
        engine: relay.relay.engine,
      },
    };
    const dnsListeners = { udp, tcp, tls, https };
    const { drops: _, ...xdp } = edge?.xdp ?? { drops: null };
    const how = { engine, ...(engine === 'af-xdp' && { xdp }) };
    log.info(
      { roles: this.config.roles, ...dnsListeners, ...relayed, control: api, metrics, ...how },
      'ready',
    );
  }

  private async reloadNow(load: () => LoadedConfig): Promise<void> {
    const { log } = this;
    try {
      const loaded = load();
      const catalog = await loadCatalog(loaded, this.seed);
      const certificate = this.certificate === null ? null : readCertificate(loaded.config);
      const restart = changedKeys(this.loaded.config, loaded.config);
      this.loaded = loaded;
      this.catalog = catalog.tables;
      log.level = loaded.config.log.level;
      await this.edge?.useCatalog(catalog.tables, loaded.config.health);
      await this.relay?.useCatalog(catalog.tables, this.edge!);
      if (certificate !== null) {
        this.certificate = certificate;
        this.edge?.useCertificate(certificate);
        this.warnOfCertificate();
      }
      for (const warning of [...loaded.warnings, ...catalog.warnings]) log.warn({ warning }, 'configuration');
      if (restart.length > 0) log.warn({ keys: restart }, 'changed, and taken at the next start only');
      log.info({ services: catalog.tables.services.length }, 'configuration and catalog read again');
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === undefined) throw error;
      log.error(
        { code, faults: message.split('\n') },
        'not reloaded: the old configuration and catalog stay',
      );
    }
  }
}

/** Of an edge that is there for its tables only: the list, the catalog, the resolver. */
function withoutListeners(config: Config): Config {
  return { ...config, dns: { ...config.dns, udp: [], tcp: [], tls: [], https: [] } };
}

/**
 * Where the list stands, and whether there is one. Its digest is not told: who reads it before and after a registration
 * can try all addresses for the one that makes the difference.
 */
function listReadiness(edge: Edge, remote: RemoteList | null): ReturnType<ReadinessCheck['check']> {
  const { phase, epoch, seq, entries, digestCheck: digest } = edge.follower.state;
  const detail = { epoch, seq, entries };
  if (remote === null) {
    return { ready: phase === 'following' || phase === 'reloading', state: phase, detail };
  }
  const { isReady, state, lagChanges, ageSeconds } = remote;
  return {
    ready: isReady,
    state,
    detail: { ...detail, digest, lagChanges, ageSeconds: Math.round(ageSeconds) },
  };
}

/** It tells, and never keeps work away: without a shield an edge serves as well, but for floods. */
function shieldReadiness({ state, reason, engagements }: ShieldView): ReturnType<ReadinessCheck['check']> {
  return { ready: true, state, detail: { engagements, ...(reason !== null && { reason }) } };
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * Addresses that are the service's own, and so never registered: relays, and the listeners' where they are
 * public. On a laptop the device is the machine itself, so that loopback addresses do not count.
 */
function ownAddresses(config: Config): Address[] {
  const relays = Object.values(config.regions).flatMap(({ relays }) =>
    relays.flatMap(({ address, address6 }) => [address, address6]),
  );
  const listeners = [...config.dns.udp, ...config.dns.tcp, ...config.dns.tls, ...config.dns.https].map(
    (text) => parseSocketAddress(text)!.address,
  );
  return [...relays.flatMap((text) => (text === null ? [] : [parseAddress(text)!])), ...listeners].filter(
    (address) => scopeOf(address) === 'public',
  );
}
