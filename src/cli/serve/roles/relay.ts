import { lookup } from 'node:dns/promises';
import type { Config } from '../../../config/index.ts';
import type { ReadinessCheck, Sources } from '../../../metrics/scrape/index.ts';
import { type Address, formatAddress, formatSocketAddress, parseAddress } from '../../../net/index.ts';
import {
  canRelayQuic,
  EGRESS_OUTCOMES,
  RELAY_DIRECTIONS,
  RELAY_OUTCOMES,
  Relay,
  RelayCounters,
  RelayServiceSlots,
  type TakeOwn,
} from '../../../relay/index.ts';
import { libc } from '../../../sys/index.ts';
import { machineAddresses } from '../own-addresses.ts';
import type { Tables } from '../tables/tables.ts';
import { threadsOf } from '../threads.ts';
import { egressAddresses, egressProxies, egressRules, relayPolicy } from './relay-config.ts';
import type { LoadedFiles, Role, RoleContext } from './role.ts';

/** Interval at which the egress guard learns new addresses of this machine. */
const ADDRESSES_INTERVAL_MS = 30_000;
const HOUR_MS = 3_600_000;
/** Zone of a link-local address: `%eth0`. */
const ZONE = /%.*$/;

/** relay.engine names an engine that this platform cannot run. */
export class RelayEngineError extends Error {
  readonly code = 'engine_not_available';
  constructor() {
    super(
      'relay.engine: found "epoll", expected "auto" or "streams": this platform lacks its system calls (or koffi)',
    );
    this.name = 'RelayEngineError';
  }
}

/** The relay role: TLS, HTTP and QUIC listeners over the process's tables. */
export class RelayRole implements Role {
  private readonly relay: Relay;
  private readonly tables: Tables;
  private readonly context: RoleContext;
  private readonly slots: RelayServiceSlots;
  private readonly counters: readonly RelayCounters[];
  private readonly timer: NodeJS.Timeout;
  private knownAddresses = '';
  private egress: Config['relay']['egress'];
  private isClosing = false;
  private draining = false;

  private constructor(
    relay: Relay,
    slots: RelayServiceSlots,
    counters: readonly RelayCounters[],
    tables: Tables,
    context: RoleContext,
  ) {
    this.relay = relay;
    this.slots = slots;
    this.counters = counters;
    this.tables = tables;
    this.context = context;
    this.egress = context.config.relay.egress;
    this.timer = setInterval(() => void this.publishEgress(), ADDRESSES_INTERVAL_MS).unref();
  }

  /** Opens the listeners. @param takeOwn takes connections for names of this host itself @throws ListenError, RelayEngineError; nothing stays open then */
  static async start(tables: Tables, context: RoleContext, takeOwn: TakeOwn): Promise<RelayRole> {
    const { config, seed, log, onFailure } = context;
    const { workers, engine, quicMode } = config.relay;
    if (engine === 'epoll' && libc() === null) throw new RelayEngineError();
    if (config.relay.quic.length > 0 && !canRelayQuic())
      log.warn({}, 'relay.quic: this platform cannot carry QUIC; its port stays closed and devices use TCP');
    const slots = new RelayServiceSlots();
    const counters: RelayCounters[] = [];
    const { allowlist, steering, cache, resolver, now } = tables;
    const assignSlots = () => slots.assign(tables.catalog.services.map(({ service }) => service));
    const relay = await Relay.start({
      tls: context.listeners('relay-tls'),
      http: context.listeners('relay-http'),
      quic: context.listeners('relay-quic'),
      quicMode,
      engine,
      threads: threadsOf(workers),
      policy: relayPolicy(config, seed),
      tables: {
        allowlist: allowlist.handle(),
        catalog: { handle: steering.handle(), serviceSlots: assignSlots() },
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
        if (isUp) log.info({ proxy }, 'a proxy of relay.egress is up again');
        else log.warn({ proxy }, 'a proxy of relay.egress is down');
      },
      takeOwn,
      onFailure,
    });
    // Also brings tables that were replaced while the threads started.
    await tables.addReader(({ allowlist: list, catalog, cache: newCache }) =>
      relay.publish({
        ...(newCache !== undefined && { cache: newCache }),
        ...(list !== undefined && { allowlist: list }),
        ...(catalog !== undefined && { catalog: { handle: catalog, serviceSlots: assignSlots() } }),
      }),
    );
    return new RelayRole(relay, slots, counters, tables, context);
  }

  get ready(): Role['ready'] {
    const { tlsAddresses, httpAddresses, quicAddresses, engine } = this.relay;
    return {
      relay: {
        tls: tlsAddresses.map(formatSocketAddress),
        http: httpAddresses.map(formatSocketAddress),
        quic: quicAddresses.map(formatSocketAddress),
        engine,
      },
    };
  }

  get checks(): readonly ReadinessCheck[] {
    return [{ name: 'relay', check: () => this.readiness() }];
  }

  get metrics(): Sources {
    return {
      relay: () => ({
        region: this.region ?? 'none',
        isDraining: this.draining,
        outcomes: RELAY_OUTCOMES,
        directions: RELAY_DIRECTIONS,
        egressOutcomes: EGRESS_OUTCOMES,
        services: this.slots.entries(),
        blocks: this.counters,
        egress: this.relay.proxies,
      }),
    };
  }

  /** True while edges that probe this relay are told to leave it out; it still serves. */
  get isDraining(): boolean {
    return this.draining;
  }

  /** Number of open tunnels. */
  get tunnels(): number {
    const slots = this.slots.entries();
    return this.counters.reduce(
      (sum, block) => slots.reduce((open, [, slot]) => open + block.open(slot), sum),
      0,
    );
  }

  /** Addresses that edges may know this relay by. */
  get addresses(): string[] {
    const { tlsAddresses, httpAddresses } = this.relay;
    const { address } = this.context.config;
    const listeners = [...tlsAddresses, ...httpAddresses].map((one) => formatAddress(one.address));
    return machineAddresses(address === null ? listeners : [address, ...listeners]);
  }

  get region(): string | null {
    return this.context.config.relay.region;
  }

  async setDraining(isDraining: boolean): Promise<void> {
    this.draining = isDraining;
    await this.relay.publish({ draining: isDraining });
  }

  /** Other relays may have new addresses; connections from now on use the new egress. */
  async reload({ loaded }: LoadedFiles): Promise<void> {
    const { config } = loaded;
    const { egress, probeSources } = config.relay;
    await this.relay.publish({ probeSources, localAddresses: egressAddresses(config) });
    if (JSON.stringify(egress) !== JSON.stringify(this.egress)) {
      this.egress = egress;
      await this.relay.useProxies(egressProxies(config));
    }
    await this.publishEgress();
  }

  /** Open tunnels go on until they end, or until relay.handoverHours are over; QUIC connections end now. */
  async retire(): Promise<{ ended: Promise<void> }> {
    this.isClosing = true;
    clearInterval(this.timer);
    await this.relay.endQuic();
    return { ended: this.relay.drain(this.context.config.relay.handoverHours * HOUR_MS) };
  }

  /** Gives open tunnels relay.drainSeconds to end. */
  async close(graceMs: number): Promise<void> {
    this.isClosing = true;
    clearInterval(this.timer);
    await this.relay.drain(graceMs === 0 ? 0 : this.context.config.relay.drainSeconds * 1000);
    await this.relay.close();
  }

  private async publishEgress(): Promise<void> {
    const egress = egressRules(this.context.files().loaded.config);
    const addresses = egress.ownAddresses.join();
    if (addresses === this.knownAddresses) return;
    this.knownAddresses = addresses;
    await this.relay.publish({ egress });
  }

  /** Not ready while it drains, without a working upstream, or without a way to origins. */
  private readiness(): ReturnType<ReadinessCheck['check']> {
    const { proxies, tlsAddresses, httpAddresses, quicAddresses } = this.relay;
    const proxiesUp = proxies.filter(({ isUp }) => isUp).length;
    const hasEgress =
      proxies.length > 0 ? proxiesUp > 0 : hasAnyAddress(egressAddresses(this.context.files().loaded.config));
    const hasUpstream = this.tables.resolver.upstreams().some(({ healthy }) => healthy);
    let state = 'serving';
    if (this.isClosing || this.draining) state = 'draining';
    else if (!hasUpstream) state = 'no_resolver';
    else if (!hasEgress) state = 'no_egress';
    const listeners = tlsAddresses.length + httpAddresses.length + quicAddresses.length;
    const detail = { listeners, ...(proxies.length > 0 && { proxies: proxies.length, proxiesUp }) };
    return { ready: state === 'serving', state, detail };
  }
}

/** True if this machine has one of the addresses, or if there are none to have. */
function hasAnyAddress(addresses: readonly string[]): boolean {
  const machine = machineAddresses();
  return addresses.length === 0 || addresses.some((address) => machine.includes(address));
}

/** Resolves a proxy's host by the system: hosts file and private zones included. */
async function systemAddresses(host: string): Promise<Address[]> {
  const found = await lookup(host, { all: true });
  return found.flatMap(({ address }) => parseAddress(address.replace(ZONE, '')) ?? []);
}
