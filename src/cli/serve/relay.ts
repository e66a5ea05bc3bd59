import { availableParallelism, networkInterfaces } from 'node:os';
import type { CatalogTables } from '../../catalog/index.ts';
import { type Config, listenersOf } from '../../config/index.ts';
import { RelayCounters, RelayServiceSlots } from '../../metrics/index.ts';
import { parseSocketAddress, type SocketAddress } from '../../net/index.ts';
import { type EgressRules, Relay, type RelayPolicy } from '../../relay/index.ts';
import { libc } from '../../sys/index.ts';
import type { Edge } from './edge.ts';

/** How often the machine's addresses are looked at: an own address must not be connected to. */
const ADDRESSES_INTERVAL_MS = 30_000;
/** What a container's or interface's zone looks like in an address. */
const ZONE = /%.*$/;

export interface RelayRoleOptions {
  readonly config: Config;
  /** Has the list, the catalogue, the cache and the resolver; without listeners where the process is no edge. */
  readonly edge: Edge;
  readonly catalog: CatalogTables;
  /** Of the hashes of names, the one that the catalogue was built with. */
  readonly seed: number;
  onFailure(error: Error): void;
}

/** relay.engine asks for system calls that this platform does not have. */
export class RelayEngineError extends Error {
  readonly code = 'ENGINE';
  constructor() {
    super(
      'relay.engine: found "epoll", expected "auto" or "streams": this platform lacks its system calls (or koffi)',
    );
    this.name = 'RelayEngineError';
  }
}

/** The relay role: its listeners over the tables that an edge has. */
export class RelayRole {
  readonly relay: Relay;
  private readonly slots: RelayServiceSlots;
  private readonly counters: readonly RelayCounters[];
  private readonly config: Config;
  private readonly timer: NodeJS.Timeout;

  private constructor(
    relay: Relay,
    slots: RelayServiceSlots,
    counters: readonly RelayCounters[],
    config: Config,
  ) {
    this.relay = relay;
    this.slots = slots;
    this.counters = counters;
    this.config = config;
    let known = '';
    this.timer = setInterval(() => {
      const egress = egressRules(config);
      const now = egress.ownAddresses.join();
      if (now !== known) void relay.publish({ egress });
      known = now;
    }, ADDRESSES_INTERVAL_MS).unref();
  }

  /** @throws RelayListenError, RelayEngineError; nothing stays open then. */
  static async start({ config, edge, catalog, seed, onFailure }: RelayRoleOptions): Promise<RelayRole> {
    if (config.relay.engine === 'epoll' && libc() === null) throw new RelayEngineError();
    const slots = new RelayServiceSlots();
    const counters: RelayCounters[] = [];
    const { table, steering, cache, resolver, now } = edge;
    const { workers, engine } = config.relay;
    const serviceSlots = slots.assign(catalog.services.map(({ service }) => service));
    const relay = await Relay.start({
      tls: config.relay.tls.map(readListener),
      http: config.relay.http.map(readListener),
      engine,
      threads: workers === 'auto' ? Math.min(Math.max(availableParallelism() - 1, 1), 64) : workers,
      policy: policyOf(config, seed),
      tables: {
        allowlist: table.share(),
        catalog: { share: steering.share(), serviceSlots },
        egress: egressRules(config),
      },
      cache: cache.share(),
      resolver,
      now,
      makeCounters() {
        const block = new RelayCounters();
        counters.push(block);
        return block;
      },
      onFailure,
    });
    table.onReplaced((allowlist) => void relay.publish({ allowlist }));
    // It may have been replaced while the threads started.
    await relay.publish({ allowlist: table.share() });
    return new RelayRole(relay, slots, counters, config);
  }

  /** Turns to another catalogue; the edge has it already. */
  async useCatalog(catalog: CatalogTables, edge: Edge): Promise<void> {
    const serviceSlots = this.slots.assign(catalog.services.map(({ service }) => service));
    await this.relay.publish({ catalog: { share: edge.steering.share(), serviceSlots } });
  }

  /** What is shown of it: all that was counted, by service. */
  readonly metrics = () => ({
    region: this.config.relay.region ?? 'none',
    services: this.slots.entries(),
    blocks: this.counters,
  });

  /** Takes no more connections, lets those that are open end for drainMs at most, and ends them. */
  async close(drainMs: number): Promise<void> {
    clearInterval(this.timer);
    await this.relay.drain(drainMs);
    await this.relay.close();
  }
}

function policyOf(config: Config, seed: number): RelayPolicy {
  const { limits, proxyProtocolFrom, probeSources, originPort } = config.relay;
  const { handshakeSeconds, idleSeconds, ...others } = limits;
  return {
    seed,
    limits: { ...others, handshakeMs: handshakeSeconds * 1000, idleMs: idleSeconds * 1000 },
    proxyProtocolFrom,
    probeSources,
    originPort,
    localAddresses: [],
  };
}

/** What is the machine's and the service's own, as far as it is known: never to be connected to. */
function egressRules(config: Config): EgressRules {
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).map(({ address }) => address.replace(ZONE, '')),
  );
  const relays = Object.values(config.regions).flatMap((region) =>
    region.relays.flatMap(({ address, address6 }) => [address, address6]),
  );
  return {
    ownAddresses: [...interfaces, ...relays.filter((address) => address !== null)],
    listeners: listenersOf(config).map(({ text }) => text),
    allowPrivate: config.relay.allowPrivateOrigins,
  };
}

/** The configuration has been checked: the text is a socket address. */
function readListener(text: string): SocketAddress {
  return parseSocketAddress(text)!;
}
