import type { Config } from '../../config/index.ts';
import type { ControlServer, ControlService, HostnameAnswer, HostnameFollower } from '../../control/index.ts';
import type { CounterBlock } from '../../metrics/index.ts';
import { formatAddress, parsePrefix, parseSocketAddress } from '../../net/index.ts';
import type { Registry } from '../../registry/index.ts';
import { lookUpHost, type Resolver } from '../../resolver/index.ts';
import { monotonicClock } from '../../sys/index.ts';
import type { Log } from './log.ts';
import { openResolver } from './resolver.ts';

export interface StartControlOptions {
  config: Config;
  registry: Registry;
  adminKey: string;
  version: string;
  log: Log;
  counters: CounterBlock;
  /** The edge's, where this process is one too. */
  resolver: Resolver | null;
  /** What accounts may choose from, as the configuration and the catalog are now. */
  regions(): readonly string[];
  services(): readonly ControlService[];
}

/** The control role: the API, and the follower of host names with a resolver for it. */
export class Control {
  /** Where it listens. */
  readonly addresses: readonly { host: string; port: number }[];
  private readonly server: ControlServer;
  private readonly follower: HostnameFollower;
  /** Where the edge's does not serve. */
  private readonly ownResolver: Resolver | null;

  private constructor(
    server: ControlServer,
    addresses: readonly { host: string; port: number }[],
    follower: HostnameFollower,
    ownResolver: Resolver | null,
  ) {
    this.server = server;
    this.addresses = addresses;
    this.follower = follower;
    this.ownResolver = ownResolver;
  }

  /** Opens the API. Fastify is loaded here, so that a process without the role is without it. @throws ListenError */
  static async start(options: StartControlOptions): Promise<Control> {
    const { createControl, HostnameFollower } = await import('../../control/index.ts');
    const { config, registry, adminKey, version, log, counters, regions, services } = options;
    const server = await createControl({
      registry,
      adminKey,
      version,
      regions,
      services,
      trustedProxies: config.control.trustedProxies.map((text) => parsePrefix(text)!),
      publicUrl: config.control.publicUrl,
      familyUrls: config.control.familyUrls,
      dnsAddresses: config.control.dnsAddresses,
      testZone: config.dns.testZone,
      logger: log,
      now: Date.now,
      counters,
    });
    const listen = config.control.listen.map((text) => {
      const { address, port } = parseSocketAddress(text)!;
      return { host: formatAddress(address), port };
    });
    const addresses = await server.listen(listen);
    const ownResolver = options.resolver === null ? resolverAlone(config, log) : null;
    const resolver = options.resolver ?? ownResolver;
    const follower = new HostnameFollower({
      hostnames: registry.hostnames,
      resolve: async (hostname) => (resolver === null ? NOTHING : lookUpHost(resolver, hostname)),
      isHolder: () => registry.doesChores,
      now: Date.now,
      random: Math.random,
      onFault: (fault) => {
        const { code } = fault as { code?: string };
        log.error({ code: code ?? 'unknown' }, 'host names not followed');
      },
    });
    follower.start();
    return new Control(server, addresses, follower, ownResolver);
  }

  /** Takes no more calls, finishes those in flight, for graceMs at most, and the look-ups that are under way. */
  async close(graceMs: number): Promise<void> {
    await Promise.all([this.server.close(graceMs), Promise.race([this.follower.stop(), delay(graceMs)])]);
    await this.ownResolver?.close();
  }
}

const NOTHING: HostnameAnswer = { addresses: [], families: [], ttlSeconds: 0 };

/** Nobody asks it twice for what it has answered, so that it keeps nothing. Null: no upstream is configured. */
function resolverAlone(config: Config, log: Log): Resolver | null {
  if (config.upstreams.length === 0) return null;
  const cache = { store: () => {} };
  return openResolver({ config, cache, now: monotonicClock(), nameSeed: 0, log, onFailure: null });
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}
