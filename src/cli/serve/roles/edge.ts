import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AllowlistReader } from '../../../allowlist/index.ts';
import { CatalogView } from '../../../catalog/index.ts';
import type { Config } from '../../../config/index.ts';
import {
  Answerer,
  DgramEngine,
  DohHandler,
  discoveryRecords,
  LocalStreams,
  MmsgEngine,
  type MmsgEngineOptions,
  type PrivateNames,
  type QueryPolicy,
  QueryState,
  RateLimiter,
  type StreamEngine,
  StreamThreads,
  type TableUpdate,
  type UdpEngine,
  XdpEngine,
} from '../../../dns/index.ts';
import type { CounterBlock } from '../../../metrics/index.ts';
import type { ReadinessCheck, Sources } from '../../../metrics/scrape/index.ts';
import {
  formatAddress,
  formatSocketAddress,
  parseAddress,
  type SocketAddress,
  TICKET_KEYS_BYTES,
  type TlsCertificate,
  type TlsIdentity,
} from '../../../net/index.ts';
import type { Registry } from '../../../registry/index.ts';
import { CacheReader } from '../../../resolver/cache/index.ts';
import { libc } from '../../../sys/index.ts';
import { XdpError } from '../../../sys/xdp/index.ts';
import { nameFromText } from '../../../wire/index.ts';
import { prefixes } from '../../addresses.ts';
import { crashReport } from '../../crash.ts';
import { errorCode } from '../../error-code.ts';
import { querySettingsOf } from '../../policy.ts';
import { relayHealth, relayReadiness, shieldReadiness } from '../observe/readiness.ts';
import { countUdpReplies, SelfQuery } from '../observe/self-query.ts';
import { countMisses, UpstreamWatch } from '../observe/upstream-watch.ts';
import { ownHttps } from '../own-names.ts';
import type { Tables } from '../tables/tables.ts';
import { threadsOf } from '../threads.ts';
import { privateNamesOf } from './private-name-claims.ts';
import type { LoadedFiles, Role, RoleContext } from './role.ts';
import { ShieldRole } from './shield.ts';

/** Lifetime of session ticket keys: a stolen key decrypts at most this much recorded traffic. */
const TICKET_KEYS_MS = 6 * 3_600_000;
/** After another process took over: time for the queries that have been read, most of which wait for an upstream. */
const RETIRED_UDP_MS = 10_000;
/** After that, connections that were never idle for a moment. Clients ask again on another one (RFC 7766, section 6.2.4). */
const RETIRED_STREAMS_MS = 300_000;

/** dns.engine names an engine that this platform, or this process, cannot run. */
export class EngineError extends Error {
  readonly code = 'engine_not_available';
  constructor(engine: string, reason: string) {
    super(`dns.engine: ${engine} is not available: ${reason}`);
    this.name = 'EngineError';
  }
}

/** The edge role: DNS listeners over the process's tables. */
export class EdgeRole implements Role {
  private readonly tables: Tables;
  private readonly context: RoleContext;
  private readonly policy: QueryPolicy;
  private readonly state: QueryState;
  private readonly answerer: Answerer;
  private readonly rateLimit = RateLimiter.allocate();
  private readonly privateNames: PrivateNames | null;
  private readonly ticketTimer: NodeJS.Timeout;
  private certificate: TlsCertificate | null;
  private udp: UdpEngine | null = null;
  private udpStopped: Promise<void> | null = null;
  private udpClosed: Promise<void> | null = null;
  private streams: StreamEngine | null = null;
  private shield: ShieldRole | null = null;
  /** Set by the operator, and undone by the operator. */
  private draining = false;
  /** True from the signal to stop on. */
  private isLeaving = false;
  private readonly upstreams: UpstreamWatch;
  private readonly self: SelfQuery;
  /** Counters of all threads that answer queries. */
  private readonly blocks: CounterBlock[];

  private constructor(tables: Tables, policy: QueryPolicy, context: RoleContext, registry: Registry | null) {
    const { config, seed, counters } = context;
    this.tables = tables;
    this.context = context;
    this.policy = policy;
    this.state = new QueryState(
      {
        allowlist: new AllowlistReader(tables.allowlist.handle()),
        catalog: new CatalogView(tables.steering.handle()),
        cache: new CacheReader(tables.cache.handle()),
        rateLimiter: new RateLimiter(this.rateLimit, config.dns.rateLimit, seed),
        counters,
      },
      policy,
    );
    this.answerer = new Answerer(this.state, tables.resolver, tables.now, this.logUnanswered);
    this.privateNames = privateNamesOf({
      config,
      registry,
      seed,
      now: tables.now,
      onState: this.logClaims,
    });
    this.certificate = context.files().certificate;
    this.ticketTimer = setInterval(() => this.useCertificate(this.certificate), TICKET_KEYS_MS).unref();
    this.blocks = [counters];
    this.upstreams = new UpstreamWatch({
      upstreams: () => tables.resolver.upstreams(),
      misses: () => countMisses(this.blocks),
      downSeconds: config.readiness.upstreamsDownSeconds,
      now: tables.now,
    });
    this.self = new SelfQuery({
      listeners: () => this.udp?.addresses ?? [],
      obstacle: () => this.selfQueryObstacle,
      replies: () => countUdpReplies(this.blocks),
    });
  }

  /** Opens the listeners. @param registry null where another process has it @throws ListenError, EngineError, ShieldError; nothing stays open then */
  static async start(
    tables: Tables,
    policy: QueryPolicy,
    context: RoleContext,
    registry: Registry | null,
  ): Promise<EdgeRole> {
    const edge = new EdgeRole(tables, policy, context, registry);
    try {
      await tables.addReader((update) => edge.publish(update));
      await edge.listen();
      // The tables may have been replaced while the threads started.
      const { allowlist, steering } = tables;
      await edge.publish({ allowlist: allowlist.handle(), catalog: steering.handle() });
      await edge.publishDiscovery();
      return edge;
    } catch (error) {
      await edge.close(0);
      throw error;
    }
  }

  /** Answers that let clients discover the encrypted listeners (RFC 9462). */
  get discovery(): QueryPolicy['discovery'] {
    return this.state.discovery;
  }

  /** Serves DNS over HTTPS where it shares a name with the page. */
  openDoh(): DohHandler {
    const { answerer, privateNames } = this;
    return new DohHandler({ answerer, privateNames });
  }

  get ready(): Role['ready'] {
    const { udp, streams } = this;
    const { tcp, tls, https } = streams!.addresses;
    const { name: engine, xdp } = udp!;
    const { drops: _, ...xdpFacts } = xdp ?? { drops: null };
    return {
      udp: udp!.addresses.map(formatSocketAddress),
      tcp: tcp.map(formatSocketAddress),
      tls: tls.map(formatSocketAddress),
      https: https.map(formatSocketAddress),
      engine,
      ...(engine === 'af-xdp' && { xdp: xdpFacts }),
    };
  }

  get checks(): readonly ReadinessCheck[] {
    const { shield, tables } = this;
    const checks: ReadinessCheck[] = [];
    if (shield !== null) checks.push({ name: 'shield', check: () => shieldReadiness(shield.view) });
    if (tables.relayWatch?.isProbing) checks.push({ name: 'relays', check: () => relayReadiness(tables) });
    checks.push({ name: 'upstreams', check: () => this.upstreams.readiness() });
    checks.push({ name: 'edge', check: () => this.readiness() });
    checks.push({ name: 'self', check: () => this.self.readiness() });
    return checks;
  }

  /** True while /readyz sends homes elsewhere by the operator's wish; everything is still answered. */
  get isDraining(): boolean {
    return this.draining;
  }

  setDraining(isDraining: boolean): void {
    this.draining = isDraining;
  }

  /** From now on /readyz sends homes elsewhere; everything is still answered until `close`. */
  leave(): void {
    this.isLeaving = true;
  }

  get metrics(): Sources {
    const { shield, tables } = this;
    const xdp = this.udp?.xdp ?? null;
    return {
      relays: () => relayHealth(tables),
      ...(shield !== null && { shield: () => shield.view }),
      ...(xdp !== null && { xdp: () => ({ ...xdp, drops: xdp.drops() }) }),
    };
  }

  /** Connections from now on get the new certificate, with new ticket keys; queries the new settings. */
  async reload({ certificate, loaded }: LoadedFiles): Promise<void> {
    if (certificate !== null) this.useCertificate(certificate);
    await this.publish({ settings: querySettingsOf(loaded.config, this.context.config) });
  }

  async retire(): Promise<{ ended: Promise<void> }> {
    this.shield?.close();
    const [streams] = await Promise.all([this.streams!.retire(), this.stopUdp()]);
    return { ended: this.finish(streams.ended) };
  }

  /** Another process had a filter on the same sockets: this one's is attached again where it is needed. */
  renewShield(): void {
    this.shield?.renew();
  }

  async close(graceMs: number): Promise<void> {
    clearInterval(this.ticketTimer);
    this.upstreams.close();
    this.self.close();
    const drained = this.streams?.stop();
    this.shield?.close();
    await this.stopUdp();
    const idle = Promise.all([this.answerer.idle(), this.tables.resolver.idle(), drained]);
    await Promise.race([idle, delay(graceMs, undefined, { ref: false })]);
    await this.streams?.close();
    await this.closeUdp();
  }

  private stopUdp(): Promise<void> {
    this.udpStopped ??= this.udp?.stop() ?? Promise.resolve();
    return this.udpStopped;
  }

  private closeUdp(): Promise<void> {
    this.udpClosed ??= this.udp?.close() ?? Promise.resolve();
    return this.udpClosed;
  }

  /** Answers the UDP queries that have been read, then waits for the connections. */
  private async finish(connectionsEnded: Promise<void>): Promise<void> {
    const idle = Promise.all([this.answerer.idle(), this.tables.resolver.idle()]);
    await Promise.race([idle, delay(RETIRED_UDP_MS, undefined, { ref: false })]);
    await this.closeUdp();
    await Promise.race([connectionsEnded, delay(RETIRED_STREAMS_MS, undefined, { ref: false })]);
    await this.streams?.stop();
  }

  /** Why the edge may leave a query of its own without a reply; null: it replies. */
  private get selfQueryObstacle(): string | null {
    const { config, files } = this.context;
    if (this.udp?.name === 'af-xdp') return 'engine af-xdp does not see the loopback interface';
    if (files().loaded.config.dns.unregistered === 'drop') return 'dns.unregistered is drop';
    const shield = this.shield?.view.state;
    if (shield === 'engaging' || shield === 'engaged')
      return 'the shield drops queries of unregistered addresses';
    return config.dns.udp.length === 0 ? 'no UDP listener' : null;
  }

  private readiness(): ReturnType<ReadinessCheck['check']> {
    if (this.isLeaving) return { ready: false, state: 'stopping' };
    return this.draining ? { ready: false, state: 'draining' } : { ready: true, state: 'serving' };
  }

  private useCertificate(certificate: TlsCertificate | null): void {
    this.certificate = certificate;
    if (certificate !== null) this.streams?.useIdentity(identityOf(certificate));
    void this.publishDiscovery();
  }

  private readonly logClaims = (error: unknown): void => {
    const { log } = this.context;
    if (error === null) log.info({}, 'private names are registered again');
    else {
      const code = errorCode(error);
      log.error(
        { code },
        'private names cannot be registered: the control does not answer; registered homes are served',
      );
    }
  };

  private readonly logUnanswered = (error: unknown): void => {
    const { name, code, frames } = crashReport(error);
    this.context.log.error({ name, code, frames }, 'a query was not answered');
  };

  /** Gives all threads new tables; this thread uses them at once. */
  private async publish(update: TableUpdate): Promise<void> {
    this.state.attach(update);
    await Promise.all([
      this.udp?.publish(update),
      this.streams?.publish(update),
      this.tables.resolver.publish(update),
    ]);
  }

  /** Answers these records to an ACME CA, in every thread. */
  async publishChallenges(records: readonly { name: string; value: string }[]): Promise<void> {
    const challenges = records.map(({ name, value }) => ({
      name: nameFromText(name)!,
      rdata: Buffer.concat([Uint8Array.of(value.length), Buffer.from(value, 'latin1')]),
    }));
    await this.publish({ challenges });
  }

  private async publishDiscovery(): Promise<void> {
    const { tls = [], https = [] } = this.streams?.addresses ?? {};
    const { config } = this.context;
    const { domain } = config;
    const names = this.certificate?.names ?? [];
    const records = discoveryRecords({
      // A CA orders a certificate's names as it likes.
      names: domain !== null && names.includes(domain) ? [domain] : names,
      tls: tls.map((one) => asSeenOutside(one, config)),
      https: [...https, ...ownHttps(config)],
    });
    await this.publish({ discovery: records });
  }

  private async listen(): Promise<void> {
    const { config, onFailure, forwardsInThreads } = this.context;
    const addCounters = (block: CounterBlock): void => {
      this.blocks.push(block);
      this.context.addCounters(block);
    };
    const { answerer, tables, policy } = this;
    const { tcpLimits: limits, engine } = config.dns;
    const workers = threadsOf(config.dns.workers);
    const shared = {
      allowlist: tables.allowlist.handle(),
      catalog: tables.steering.handle(),
      cache: tables.cache.handle(),
      rateLimit: this.rateLimit,
      rateLimitOptions: config.dns.rateLimit,
      policy,
      forward: forwardsInThreads ? tables.resolver.forward : null,
    };
    tables.resolver.serveEdge(shared);
    addCounters(tables.resolver.counters);
    const tcp = this.context.listeners('dns-tcp');
    const tls = this.context.listeners('dns-tls');
    const https = this.context.listeners('dns-https');
    const proxies = prefixes(config.dns.proxyProtocolFrom);
    if (workers === 1 && tls.length === 0 && https.length === 0) {
      const { seed } = policy;
      this.streams = await LocalStreams.start({ tcp, limits, proxies, answerer, seed, now: tables.now });
    } else {
      this.streams = await StreamThreads.start({
        ...shared,
        addresses: { tcp, tls, https },
        workers,
        limits,
        proxies,
        openResolverPort: () => tables.resolver.openPort(),
        onCounters: addCounters,
        onFailure,
        identity: this.certificate === null ? null : identityOf(this.certificate),
        privateNames: this.privateNames,
        onFault: this.logUnanswered,
      });
    }
    const addresses = this.context.listeners('dns-udp');
    if (libc() === null && (engine === 'mmsg' || engine === 'af-xdp')) {
      throw new EngineError(engine, 'this platform lacks its system calls (or koffi)');
    }
    const blocks: CounterBlock[] = [];
    if (engine === 'dgram' || libc() === null) {
      this.udp = await DgramEngine.start({ addresses, answerer });
    } else {
      const onCounters = (block: CounterBlock): void => {
        blocks.push(block);
        addCounters(block);
      };
      const options = { ...shared, addresses, workers, deferred: tables.resolver, onCounters, onFailure };
      const isXdp = engine === 'af-xdp' && addresses.length > 0;
      this.udp = isXdp ? await startXdp(config, options) : await MmsgEngine.start(options);
    }
    if (addresses.length > 0) this.shield = this.openShield(this.udp, blocks);
  }

  /** @param blocks counters of the UDP threads */
  private openShield(engine: UdpEngine, blocks: readonly CounterBlock[]): ShieldRole {
    const { allowlist: table, now } = this.tables;
    const { config, log } = this.context;
    return new ShieldRole({ config: config.dns, engine, table, blocks, now, log });
  }
}

/** An explicitly configured engine never falls back silently: failing to start it is an error. */
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

/** The address that homes reach a listener at, where the provider maps one to it. */
function asSeenOutside(listener: SocketAddress, { address, listenAddress }: Config): SocketAddress {
  const isMapped = listenAddress !== null && formatAddress(listener.address) === listenAddress;
  return isMapped && address !== null ? { address: parseAddress(address)!, port: listener.port } : listener;
}

function identityOf({ cert, key }: TlsCertificate): TlsIdentity {
  return { cert, key, ticketKeys: randomBytes(TICKET_KEYS_BYTES) };
}
