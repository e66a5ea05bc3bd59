import { networkInterfaces } from 'node:os';
import { type Config, listenersOf } from '../../config/index.ts';
import {
  type Address,
  contains,
  formatAddress,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixOf,
  scopeOf,
} from '../../net/index.ts';
import { prefixes } from '../addresses.ts';

/** Zone of a link-local address: `%eth0`. */
const ZONE = /%.*$/;
/** Listing the interfaces takes some system calls, and registrations may come by the thousand. */
const CACHE_MS = 1_000;
const LINK_SCOPES = new Set(['loopback', 'link-local', 'unspecified']);

/** Addresses of this machine's interfaces, as they are now. */
export function interfaceAddresses(): Address[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).flatMap(({ address }) => parseAddress(address.replace(ZONE, '')) ?? []),
  );
}

/** True if an interface has an address of the family that reaches beyond its own link. */
export function hasFamily(family: 4 | 6): boolean {
  return interfaceAddresses().some(
    (address) => address.family === family && !LINK_SCOPES.has(scopeOf(address)),
  );
}

/** Addresses that this machine is known by: its interfaces' and those in `listeners`, as canonical text. */
export function machineAddresses(listeners: readonly string[] = []): string[] {
  return [...new Set([...listeners, ...interfaceAddresses().map(formatAddress)])];
}

/**
 * The one place that says which addresses are the service's own: this machine's interfaces (wildcard listeners are
 * reached at all of them), listeners, relays, the API, the edges' DNS addresses, proxies and balancers, probe sources,
 * and the addresses that other hosts report within control.fleetPrefixes.
 *
 * Reads the interfaces at each call, since they change.
 */
export function ownPrefixes(
  config: Config,
  reported: readonly string[] = [],
  interfaces: readonly Address[] = interfaceAddresses(),
): Prefix[] {
  const { control, relay, dns, regions, address, address6 } = config;
  const relays = Object.values(regions).flatMap((region) =>
    region.relays.flatMap(({ address, address6 }) => [address, address6].filter((text) => text !== null)),
  );
  const { egress } = relay;
  const local = typeof egress === 'object' && 'localAddress' in egress ? [egress.localAddress].flat() : [];
  const urls = [control.publicUrl, control.familyUrls.ipv4, control.familyUrls.ipv6];
  const hosts = urls.flatMap((url) =>
    url === null ? [] : [new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')],
  );
  const host = [address, address6].filter((text) => text !== null);
  const texts = [...host, ...relays, ...local, ...hosts, ...control.addresses, ...control.dnsAddresses];
  const fleet = prefixes(control.fleetPrefixes);
  const others = reported.flatMap((text) => parseAddress(text) ?? []);
  const addresses = [
    ...interfaces,
    ...listenersOf(config).map(({ socketAddress }) => socketAddress.address),
    ...texts.flatMap((text) => parseAddress(text) ?? []),
    ...others.filter((address) => fleet.some((prefix) => contains(prefix, address))),
  ];
  const trusted = [
    ...control.trustedProxies,
    ...dns.proxyProtocolFrom,
    ...relay.proxyProtocolFrom,
    ...relay.probeSources,
  ];
  return [
    ...addresses.filter((address) => scopeOf(address) !== 'unspecified').map(wholePrefix),
    ...trusted.map((text) => parsePrefix(text)!),
  ];
}

/** Answers whether a prefix is the service's own, with at most a second's delay after a change. */
export class OwnAddresses {
  private readonly config: () => Config;
  private readonly reported: () => readonly string[];
  private readonly now: () => number;
  private known: { config: Config; prefixes: Prefix[]; untilMs: number } | null = null;

  /** @param config current configuration @param reported addresses that other hosts report @param now ms of a clock */
  constructor(config: () => Config, reported: () => readonly string[], now: () => number) {
    this.config = config;
    this.reported = reported;
    this.now = now;
  }

  overlaps(prefix: Prefix): boolean {
    const config = this.config();
    if (this.known === null || this.known.config !== config || this.now() >= this.known.untilMs) {
      const untilMs = this.now() + CACHE_MS;
      this.known = { config, prefixes: ownPrefixes(config, this.reported()), untilMs };
    }
    return isOwnPrefix(prefix, this.known.prefixes);
  }
}

/**
 * True if a prefix that somebody wants to register overlaps the service's own. Only public addresses count: private ones
 * register in a trial on one machine or in one house, where a device may be the machine itself.
 */
export function isOwnPrefix(prefix: Prefix, own: readonly Prefix[]): boolean {
  return own.some((each) => scopeOf(each) === 'public' && (contains(prefix, each) || contains(each, prefix)));
}

/**
 * Lists own addresses for the egress guard. Ranges are left out: the range of a CDN that is trusted as a proxy holds
 * origins too.
 */
export function ownHosts(config: Config): string[] {
  const hosts = ownPrefixes(config).filter(({ length, bytes }) => length === bytes.length * 8);
  return [...new Set(hosts.map(formatAddress))];
}

/** Lists this host's public addresses, for its report. */
export function reportedAddresses(config: Config): string[] {
  const listeners = listenersOf(config).map(({ socketAddress }) => socketAddress.address);
  const mapped = config.address === null ? [] : [parseAddress(config.address)!];
  const addresses = [...interfaceAddresses(), ...listeners, ...mapped].filter(
    (address) => scopeOf(address) === 'public',
  );
  return [...new Set(addresses.map(formatAddress))];
}

function wholePrefix(address: Address): Prefix {
  return prefixOf(address, address.bytes.length * 8);
}
