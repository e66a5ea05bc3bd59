import { X509Certificate } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../../../config/index.ts';
import type {
  ControlServer,
  HostnameAnswer,
  HostnameFollower,
  OwnHost,
  SelfTest,
} from '../../../control/index.ts';
import { formatAddress, type TlsCertificate } from '../../../net/index.ts';
import type { Registry } from '../../../registry/index.ts';
import { lookUpHost, type Resolver } from '../../../resolver/index.ts';
import { monotonicClock } from '../../../sys/index.ts';
import { prefixes } from '../../addresses.ts';
import { errorCode } from '../../error-code.ts';
import type { Log } from '../log.ts';
import { servesOwnNames } from '../own-names.ts';
import { changedUpstreams, openResolver } from '../tables/resolver.ts';
import type { Tables } from '../tables/tables.ts';
import type { LoadedFiles, Role, RoleContext } from './role.ts';

const NO_ADDRESSES: HostnameAnswer = { addresses: [], families: [], ttlSeconds: 0 };

/** After another process took over: longer than proxies keep an idle connection, most of them. */
const RETIRED_MS = 90_000;
/** Timeout of looking up a host name that an account adds. */
const LOOK_UP_MS = 5_000;

/** The control role: the API, the page, and the follower of DDNS host names. */
export class ControlRole implements Role {
  readonly checks = [];
  readonly metrics = { hostnamesDue: () => this.follower.due };
  private readonly server: ControlServer;
  private readonly addresses: readonly { host: string; port: number }[];
  private readonly follower: HostnameFollower;
  /** Null where the process's tables have a resolver. */
  private readonly ownResolver: Resolver | null;
  private readonly log: Log;
  private config: Config;
  private ownHost: OwnHost | null = null;

  private constructor(
    server: ControlServer,
    addresses: readonly { host: string; port: number }[],
    follower: HostnameFollower,
    ownResolver: Resolver | null,
    { config, log }: RoleContext,
  ) {
    this.server = server;
    this.addresses = addresses;
    this.follower = follower;
    this.ownResolver = ownResolver;
    this.config = config;
    this.log = log;
  }

  /**
   * Opens the API.
   * @param tables null where the process has no other role
   * @param adminKeys SHA-256 digests of the operator's current keys
   * @throws ListenError
   */
  static async start(
    tables: Tables | null,
    registry: Registry,
    adminKeys: () => readonly Uint8Array[],
    context: RoleContext,
  ): Promise<ControlRole> {
    // Imported lazily: processes without this role don't load Fastify.
    const { createControl, HostnameFollower } = await import('../../../control/index.ts');
    const { config, version, log, counters, files } = context;
    const { trustedProxies, publicUrl, familyUrls, dnsAddresses } = config.control;
    const ownResolver = tables === null ? openOwnResolver(config, log) : null;
    const resolver = tables?.resolver ?? ownResolver;
    const lookUp = async (hostname: string, signal: AbortSignal): Promise<HostnameAnswer> =>
      resolver === null ? NO_ADDRESSES : lookUpHost(resolver, hostname, signal);
    const server = await createControl({
      registry,
      lookUpHost: (hostname) => lookUp(hostname, AbortSignal.timeout(LOOK_UP_MS)),
      adminKeys,
      version,
      regions: () => Object.keys(files().loaded.config.regions),
      services: () =>
        files().catalog.services.map(({ service, title, regions }) => ({ id: service, title, regions })),
      catalogVersion: () => files().catalogVersion,
      trustedProxies: prefixes(trustedProxies),
      publicUrl,
      familyUrls,
      dnsAddresses,
      testZone: config.dns.testZone,
      selfTest: () => selfTestOf(config, files().certificate),
      privateNames: privateNamesOf(config),
      logger: log,
      now: Date.now,
      counters,
    });
    const addresses = await server.listen(
      context.listeners('control').map(({ address, port, fd }) => {
        return { host: formatAddress(address), port, ...(fd !== undefined && { fd }) };
      }),
    );
    const follower = new HostnameFollower({
      hostnames: registry.hostnames,
      resolve: lookUp,
      isLeader: () => registry.isLeader,
      now: Date.now,
      random: Math.random,
      onError: (error) => log.error({ code: errorCode(error) }, 'host names not followed'),
    });
    follower.start();
    return new ControlRole(server, addresses, follower, ownResolver, context);
  }

  get ready(): Role['ready'] {
    const urls = this.addresses.map(
      ({ host, port }) => `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    );
    return { control: [...new Set(urls)] };
  }

  /** Serves what a relay of this process hands over: the page and the API, and DNS over HTTPS by the edge. */
  openOwnHost(
    options: Parameters<ControlServer['openOwnHost']>[0],
    certificate: TlsCertificate | null,
  ): OwnHost {
    this.ownHost = this.server.openOwnHost(options);
    this.ownHost.useCertificate(certificate);
    return this.ownHost;
  }

  /** The API reads regions and services from the current files at each call. */
  reload({ certificate, loaded }: LoadedFiles): void {
    const upstreams = this.ownResolver && changedUpstreams(this.config, loaded.config, this.log);
    if (upstreams !== null) this.ownResolver?.useUpstreams(upstreams, 0);
    this.config = loaded.config;
    if (certificate !== null) this.ownHost?.useCertificate(certificate);
  }

  /** Open connections end after their next call, or when they have been idle. */
  async retire(): Promise<{ ended: Promise<void> }> {
    void this.follower.stop();
    const connections = this.server.retire();
    const ended = Promise.race([connections, delay(RETIRED_MS, undefined, { ref: false })]);
    return { ended: ended.then(() => this.server.close()) };
  }

  /** Finishes calls and look-ups in flight within graceMs. */
  async close(graceMs: number): Promise<void> {
    const timeout = delay(graceMs, undefined, { ref: false });
    await Promise.all([this.server.close(graceMs), Promise.race([this.follower.stop(), timeout])]);
    await this.ownResolver?.close();
  }
}

function privateNamesOf({
  privateNames: { domain, edgeKey },
}: Config): { domain: string; edgeKey: string } | null {
  return domain === null ? null : { domain, edgeKey };
}

/** On one host the certificate says which of the self-test's names a browser takes; elsewhere a proxy has it. */
function selfTestOf(config: Config, certificate: TlsCertificate | null): SelfTest {
  const { testZone } = config.dns;
  if (!servesOwnNames(config) || testZone === null) return { isAvailable: true, isRelayed: false };
  if (certificate === null) return { isAvailable: false, isRelayed: false };
  const parsed = new X509Certificate(certificate.cert);
  const covers = (name: string) => parsed.checkHost(`x.${name}.${testZone}`) !== undefined;
  return { isAvailable: covers('reached') && covers('registered'), isRelayed: covers('relayed') };
}

/** Opens a resolver without a cache: the follower never asks twice within a TTL. Null: no upstream is configured. */
function openOwnResolver(config: Config, log: Log): Resolver | null {
  if (config.upstreams.length === 0) return null;
  const cache = { store: () => {} };
  return openResolver({ config, cache, now: monotonicClock(), nameSeed: 0, log });
}
