import { lookup } from 'node:dns/promises';
import { availableParallelism, networkInterfaces } from 'node:os';
import type { CatalogTables } from '../../catalog/index.ts';
import { type Config, listenersOf } from '../../config/index.ts';
import type { ReadinessCheck } from '../../metrics/scrape/index.ts';
import {
  type Address,
  formatAddress,
  type ProxyUrl,
  parseAddress,
  parseProxyUrl,
  parseSocketAddress,
  type SocketAddress,
} from '../../net/index.ts';
import {
  EGRESS_OUTCOMES,
  type EgressRules,
  RELAY_DIRECTIONS,
  RELAY_OUTCOMES,
  Relay,
  RelayCounters,
  type RelayPolicy,
  RelayServiceSlots,
} from '../../relay/index.ts';
import { libc } from '../../sys/index.ts';
import type { Edge } from './edge.ts';
import type { Log } from './log.ts';
import { ownAddresses } from './own-addresses.ts';

/** How often the machine's addresses are looked at: an own address must not be connected to. */
const ADDRESSES_INTERVAL_MS = 30_000;
/** What a container's or interface's zone looks like in an address. */
const ZONE = /%.*$/;

export interface RelayRoleOptions {
  readonly config: Config;
  /** Has the list, the catalog, the cache and the resolver; without listeners where the process is no edge. */
  readonly edge: Edge;
  readonly catalog: CatalogTables;
  /** Of the hashes of names, the one that the catalog was built with. */
  readonly seed: number;
  readonly log: Log;
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
  private readonly resolver: Edge['resolver'];
  private readonly timer: NodeJS.Timeout;
  private isClosing = false;
  private draining = false;

  private constructor(
    relay: Relay,
    slots: RelayServiceSlots,
    counters: readonly RelayCounters[],
    config: Config,
    resolver: Edge['resolver'],
  ) {
    this.relay = relay;
    this.slots = slots;
    this.counters = counters;
    this.config = config;
    this.resolver = resolver;
    let known = '';
    this.timer = setInterval(() => {
      const egress = egressRules(config);
      const now = egress.ownAddresses.join();
      if (now !== known) void relay.publish({ egress });
      known = now;
    }, ADDRESSES_INTERVAL_MS).unref();
  }

  /** @throws RelayListenError, RelayEngineError; nothing stays open then. */
  static async start({ config, edge, catalog, seed, log, onFailure }: RelayRoleOptions): Promise<RelayRole> {
    if (config.relay.engine === 'epoll' && libc() === null) throw new RelayEngineError();
    const slots = new RelayServiceSlots();
    const counters: RelayCounters[] = [];
    const { table, steering, cache, resolver, now } = edge;
    const { workers, engine } = config.relay;
    const serviceSlots = slots.assign(catalog.services.map(({ service }) => service));
    const relay = await Relay.start({
      tls: config.relay.tls.map(readListener),
      http: config.relay.http.map(readListener),
      quic: config.relay.quic.map(readListener),
      quicMode: config.relay.quicMode,
      engine,
      threads: workers === 'auto' ? Math.min(Math.max(availableParallelism() - 1, 1), 64) : workers,
      policy: policyOf(config, seed),
      tables: {
        allowlist: table.handle(),
        catalog: { share: steering.handle(), serviceSlots },
        egress: egressRules(config),
      },
      cache: cache.handle(),
      resolver,
      now,
      makeCounters() {
        const block = new RelayCounters();
        counters.push(block);
        return block;
      },
      lookup: systemAddresses,
      onProxy(proxy, isUp) {
        if (isUp) log.info({ proxy }, 'a proxy of relay.egress is back');
        else log.warn({ proxy }, 'a proxy of relay.egress is down');
      },
      onFailure,
    });
    table.onReplaced((allowlist) => void relay.publish({ allowlist }));
    // It may have been replaced while the threads started.
    await relay.publish({ allowlist: table.handle() });
    return new RelayRole(relay, slots, counters, config, resolver);
  }

  /** Turns to another catalog; the edge has it already. */
  async useCatalog(catalog: CatalogTables, edge: Edge): Promise<void> {
    const serviceSlots = this.slots.assign(catalog.services.map(({ service }) => service));
    await this.relay.publish({ catalog: { share: edge.steering.handle(), serviceSlots } });
  }

  /** What is shown of it: all that was counted, by service. */
  readonly metrics = () => ({
    region: this.config.relay.region ?? 'none',
    isDraining: this.draining,
    outcomes: RELAY_OUTCOMES,
    directions: RELAY_DIRECTIONS,
    egressOutcomes: EGRESS_OUTCOMES,
    services: this.slots.entries(),
    blocks: this.counters,
    egress: this.relay.proxies,
  });

  /** Whether connections would be carried: not while it drains, without an upstream, or without a way out. */
  readonly readiness: ReadinessCheck['check'] = () => {
    const { proxies } = this.relay;
    const waysUp = proxies.filter(({ isUp }) => isUp).length;
    const hasWay = proxies.length > 0 ? waysUp > 0 : hasAddresses(localAddresses(this.config));
    const answers = this.resolver.upstreams().some(({ healthy }) => healthy);
    const state =
      this.isClosing || this.draining
        ? 'draining'
        : !answers
          ? 'no_resolver'
          : !hasWay
            ? 'no_egress'
            : 'serving';
    const { tlsAddresses, httpAddresses, quicAddresses } = this.relay;
    const listeners = tlsAddresses.length + httpAddresses.length + quicAddresses.length;
    const detail = { listeners, ...(proxies.length > 0 && { proxies: proxies.length, proxiesUp: waysUp }) };
    return { ready: state === 'serving', state, detail };
  };

  /** Whether edges that probe it are told to give it to nobody any more; it serves on. */
  get isDraining(): boolean {
    return this.draining;
  }

  /** Connections that are carried. */
  get tunnels(): number {
    const slots = this.slots.entries();
    return this.counters.reduce(
      (sum, block) => slots.reduce((open, [, slot]) => open + block.open(slot), sum),
      0,
    );
  }

  /** Addresses at which it may be known, and the region that it stands in. */
  get addresses(): string[] {
    const { relay } = this;
    return ownAddresses(
      [...relay.tlsAddresses, ...relay.httpAddresses].map(({ address }) => formatAddress(address)),
    );
  }

  get region(): string | null {
    return this.config.relay.region;
  }

  async setDraining(isDraining: boolean): Promise<void> {
    this.draining = isDraining;
    await this.relay.publish({ draining: isDraining });
  }

  /** Takes no more connections, lets those that are open end for drainMs at most, and ends them. */
  async close(drainMs: number): Promise<void> {
    this.isClosing = true;
    clearInterval(this.timer);
    await this.relay.drain(drainMs);
    await this.relay.close();
  }
}

function policyOf(config: Config, seed: number): RelayPolicy {
  const { limits, proxyProtocolFrom, proxyProtocolTo, proxyProtocolVersion } = config.relay;
  const { probeSources, originPort } = config.relay;
  const { handshakeSeconds, idleSeconds, quicIdleSeconds, ...others } = limits;
  return {
    seed,
    limits: {
      ...others,
      handshakeMs: handshakeSeconds * 1000,
      idleMs: idleSeconds * 1000,
      quicIdleMs: quicIdleSeconds * 1000,
    },
    proxyProtocolFrom,
    proxyProtocolTo,
    proxyProtocolVersion,
    probeSources,
    originPort,
    localAddresses: localAddresses(config),
    proxies: proxiesOf(config),
  };
}

/** The configuration has been checked: the texts are URLs of proxies. */
function proxiesOf({ relay: { egress } }: Config): ProxyUrl[] {
  if (egress === 'direct' || (typeof egress === 'object' && 'localAddress' in egress)) return [];
  return [egress].flat().map((text) => parseProxyUrl(text)!);
}

function localAddresses({ relay: { egress } }: Config): string[] {
  return typeof egress === 'object' && 'localAddress' in egress ? [egress.localAddress].flat() : [];
}

/** Whether an interface has one of the addresses at least, if there are any. */
function hasAddresses(addresses: readonly string[]): boolean {
  const own = interfaceAddresses();
  return addresses.length === 0 || addresses.some((address) => own.includes(address));
}

function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).map(({ address }) => address.replace(ZONE, '')),
  );
}

/** As the system's resolver knows them: hosts files and private zones among it. */
async function systemAddresses(host: string): Promise<Address[]> {
  const found = await lookup(host, { all: true });
  return found.flatMap(({ address }) => parseAddress(address.replace(ZONE, '')) ?? []);
}

/** What is the machine's and the service's own, as far as it is known: never to be connected to. */
function egressRules(config: Config): EgressRules {
  const relays = Object.values(config.regions).flatMap((region) =>
    region.relays.flatMap(({ address, address6 }) => [address, address6]),
  );
  return {
    ownAddresses: [...interfaceAddresses(), ...relays.filter((address) => address !== null)],
    listeners: listenersOf(config).map(({ text }) => text),
    allowPrivate: config.relay.allowPrivateOrigins,
  };
}

/** The configuration has been checked: the text is a socket address. */
function readListener(text: string): SocketAddress {
  return parseSocketAddress(text)!;
}
