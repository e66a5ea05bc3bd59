import { type AllowlistHandle, AllowlistReader } from '../allowlist/index.ts';
import { type CatalogHandle, CatalogView } from '../catalog/lookup/index.ts';
import { type Address, type ProxyUrl, parseAddress } from '../net/index.ts';
import type { CacheHandle } from '../resolver/cache/index.ts';
import { Admission, NO_SERVICE } from './admission.ts';
import { RelayCounters, RelayOutcome } from './counters.ts';
import { ProxyHealth } from './egress/proxy-health.ts';
import { ProxyPool } from './egress/proxy-pool.ts';
import { EgressGuard, type EgressRules } from './egress-guard.ts';
import { HostName, readHostName } from './host-name.ts';
import { noticeOf } from './notice.ts';
import { OriginCache } from './origin-cache.ts';
import { OwnName, OwnNames } from './own-names.ts';
import type { RelayPolicy } from './policy.ts';
import { type ClientSource, PrefixSet } from './source.ts';
import { type SourceLimitMemory, SourceLimits } from './source-limits.ts';

/** New tables and rules; what is absent stays as it is. */
export interface RelayUpdate {
  allowlist?: AllowlistHandle;
  /** Cache of the process's resolver. */
  cache?: CacheHandle;
  catalog?: { readonly handle: CatalogHandle; readonly serviceSlots: readonly number[] };
  egress?: EgressRules;
  /** Other proxies for connections from now on; empty: none. */
  proxies?: ProxyPoolHandle;
  /** Addresses of the proxies, in their order. */
  proxyAddresses?: readonly (readonly string[])[];
  /** Prefixes of edges that probe the relay. */
  probeSources?: readonly string[];
  /** Local addresses to connect from. */
  localAddresses?: readonly string[];
  /** Tells probing edges that the relay drains. */
  draining?: boolean;
}

/** Proxies and the memory of their ProxyHealth. */
export interface ProxyPoolHandle {
  readonly urls: readonly ProxyUrl[];
  readonly health: SharedArrayBuffer;
  readonly addresses: readonly (readonly string[])[];
}

/** Tables at the start. */
export type RelayTables = Required<
  Omit<RelayUpdate, 'cache' | 'proxies' | 'draining' | 'probeSources' | 'localAddresses'>
>;

/** Everything a relay thread is made from; can be posted. */
export interface RelayHandle {
  readonly policy: RelayPolicy;
  readonly tables: RelayTables;
  readonly cache: CacheHandle;
  readonly limits: SourceLimitMemory;
  /** Memory of ProxyHealth. */
  readonly proxyHealth: SharedArrayBuffer;
  /** Memory of this thread's RelayCounters. */
  readonly counters: SharedArrayBuffer;
}

/** A connection in the strangers' pool. */
interface Stranger {
  end(outcome: RelayOutcome): void;
}

/** State that a thread decides about connections with. */
export class RelayContext {
  readonly policy: RelayPolicy;
  readonly admission: Admission;
  readonly limits: SourceLimits;
  origins: OriginCache;
  readonly counters: RelayCounters;
  readonly balancers: PrefixSet;
  localAddresses: readonly Address[];
  /** Null: origins are connected to directly. */
  proxies: ProxyPool | null;
  readonly proxyProtocolOrigins: PrefixSet;
  private readonly ownNames: OwnNames;
  private readonly controlAddresses: readonly Address[];
  /** Name of the connection being authorized; valid within one call. */
  readonly name = new HostName();
  /** Counter slot of that name's service. */
  serviceSlot = 0;
  /** Addresses to connect to instead of the name's origin: the control API's for a name of the self-test; null for all others. */
  fixedAddresses: readonly Address[] | null = null;
  guard: EgressGuard;
  /** Counter slots of the catalog's services, by service index. */
  serviceSlots: readonly number[];
  private draining = false;
  /** Connections in the strangers' pool that have named no host, the oldest first. */
  private readonly unnamed = new Set<Stranger>();

  constructor({ policy, tables, cache, limits, proxyHealth, counters }: RelayHandle) {
    this.policy = policy;
    this.admission = new Admission(
      new AllowlistReader(tables.allowlist),
      new CatalogView(tables.catalog.handle),
      new PrefixSet(policy.probeSources),
    );
    this.limits = new SourceLimits(limits, policy.limits, policy.seed);
    this.origins = new OriginCache(cache);
    this.counters = new RelayCounters(counters);
    this.balancers = new PrefixSet(policy.proxyProtocolFrom);
    this.localAddresses = parseAll(policy.localAddresses);
    const { proxies: urls } = policy;
    this.proxies = poolOf({ urls, health: proxyHealth, addresses: tables.proxyAddresses });
    this.proxyProtocolOrigins = new PrefixSet(policy.proxyProtocolTo);
    this.ownNames = new OwnNames(policy.seed, policy.ownNames);
    this.controlAddresses = parseAll(policy.ownNames.controlAddresses);
    this.guard = new EgressGuard(tables.egress);
    this.serviceSlots = tables.catalog.serviceSlots;
  }

  /**
   * Counts a connection that is not of a registered source. In a full pool the thread's oldest that has named no host gives
   * way: an honest client names one within a round trip, an idle connection never does.
   * @returns false if nothing could give way
   */
  enterStrangers(stranger: Stranger): boolean {
    if (!this.limits.enterStranger()) {
      const [oldest] = this.unnamed;
      oldest?.end(RelayOutcome.LIMITED);
      if (oldest === undefined || !this.limits.enterStranger()) return false;
    }
    this.unnamed.add(stranger);
    return true;
  }

  /** The connection keeps its place in the strangers' pool, and gives way to nobody. */
  hasNamed(stranger: Stranger): void {
    this.unnamed.delete(stranger);
  }

  leaveStrangers(stranger: Stranger): void {
    this.unnamed.delete(stranger);
    this.limits.leaveStranger();
  }

  /** True if a source may name a host: it is registered, probes, or this process serves names to everyone. */
  hears(source: ClientSource): boolean {
    return this.ownNames.servesAny || this.admission.admits(source);
  }

  /**
   * Authorizes a connection, or a request on one: its source is registered, and bytes[start, end) is a catalog name. Leaves
   * the name in `name` and its service's counter slot in `serviceSlot`, until the next call.
   * @param canNotify the protocol can carry a notice to a probe, so a draining relay rejects probes
   * @param canHand connections for own names can be handed to this process's listeners
   * @returns null if authorized, OWN to hand the connection over, else the outcome to end the connection with
   */
  authorize(
    source: ClientSource,
    bytes: Uint8Array,
    start: number,
    end: number,
    canNotify: boolean,
    canHand: boolean,
  ): RelayOutcome | null {
    this.fixedAddresses = null;
    const isAdmitted = this.admission.admits(source);
    if (!isAdmitted && !this.ownNames.servesAny) return RelayOutcome.UNREGISTERED;
    if (canNotify && this.draining && this.admission.isProbe(source)) return RelayOutcome.DRAINING;
    if (!readHostName(bytes, start, end, this.policy.seed, this.name)) return RelayOutcome.MALFORMED;
    const own = this.ownNames.isAny ? this.ownNames.match(this.name) : OwnName.NONE;
    if (own !== OwnName.NONE) return this.authorizeOwn(own, source, canHand);
    if (!isAdmitted) return RelayOutcome.UNREGISTERED;
    const service = this.admission.serviceOf(this.name);
    if (service === NO_SERVICE) return RelayOutcome.UNLISTED;
    this.serviceSlot = this.serviceSlots[service] ?? 0;
    return null;
  }

  /** A name of the service itself: handed over, or carried to the control API for a registered home. */
  private authorizeOwn(own: OwnName, source: ClientSource, canHand: boolean): RelayOutcome | null {
    if (own === OwnName.HERE) return canHand ? RelayOutcome.OWN : RelayOutcome.UNLISTED;
    if (!canHand) return RelayOutcome.UNLISTED;
    // The other end of such a connection: a relay has carried it here. Decided first, so that it never goes around.
    if (this.ownNames.servesAny && this.guard.isOwn(source.address)) return RelayOutcome.OWN;
    if (!this.admission.isRegistered(source)) return RelayOutcome.UNREGISTERED;
    this.fixedAddresses = this.controlAddresses;
    this.serviceSlot = 0;
    return null;
  }

  /** Notice for a probe whose connection ends without an origin; null for everyone else, who gets no byte. */
  noticeFor(source: ClientSource, outcome: RelayOutcome): Uint8Array | null {
    const notice = noticeOf(outcome);
    return notice !== null && this.admission.isProbe(source) ? notice : null;
  }

  update(update: RelayUpdate): void {
    const { allowlist, catalog, egress, proxyAddresses, probeSources, localAddresses, draining } = update;
    if (probeSources !== undefined) this.admission.probeSources = new PrefixSet(probeSources);
    if (localAddresses !== undefined) this.localAddresses = parseAll(localAddresses);
    if (draining !== undefined) this.draining = draining;
    if (update.cache !== undefined) this.origins = new OriginCache(update.cache);
    if (allowlist !== undefined) this.admission.allowlist.attach(allowlist);
    if (catalog !== undefined) {
      this.admission.catalog.attach(catalog.handle);
      this.serviceSlots = catalog.serviceSlots;
    }
    if (egress !== undefined) this.guard = new EgressGuard(egress);
    if (update.proxies !== undefined) this.proxies = poolOf(update.proxies);
    if (proxyAddresses !== undefined) this.proxies?.locate(proxyAddresses);
  }
}

function parseAll(addresses: readonly string[]): Address[] {
  return addresses.map((text) => parseAddress(text)!);
}

function poolOf({ urls, health, addresses }: ProxyPoolHandle): ProxyPool | null {
  if (urls.length === 0) return null;
  const pool = new ProxyPool(urls, new ProxyHealth(urls.length, health));
  pool.locate(addresses);
  return pool;
}
