import { formatSocketAddress, parseAddress } from '../net/index.ts';
import type { FileConfig } from './schema.ts';

/** Region of a host that names none. */
const DEFAULT_REGION = 'us';

/**
 * Fills in what a host with `domain` and `address` leaves out: roles, listeners, regions, URLs, the self-test's zone, and who may
 * probe the relay. Keys that the file has stay as they are. The relay owns ports 443 and 80 and hands the host's own names on.
 * @param isGiven true if the file has a key
 */
export function deriveFromDomain(config: FileConfig, isGiven: (path: string) => boolean): FileConfig {
  const { domain, address, address6, listenAddress } = config;
  const addresses = [address, address6].filter((text) => text !== null);
  if (domain === null || addresses.length === 0) return config;
  const local = [address === null ? null : (listenAddress ?? address), address6].filter(
    (text) => text !== null,
  );
  const keep = <T>(path: string, given: T, derived: T): T => (isGiven(path) ? given : derived);
  const listen = (port: number) => local.map((text) => socketAddress(text, port));
  const { dns, control, relay } = config;
  const region = relay.region ?? Object.keys(config.regions)[0] ?? DEFAULT_REGION;
  const ownRelay = { address, address6, weight: 1, group: null };
  return {
    ...config,
    roles: keep('roles', config.roles, ['control', 'edge', 'relay']),
    regions: keep('regions', config.regions, { [region]: { relays: [ownRelay] } }),
    dns: {
      ...dns,
      udp: keep('dns.udp', dns.udp, listen(53)),
      tcp: keep('dns.tcp', dns.tcp, listen(53)),
      tls: keep('dns.tls', dns.tls, listen(853)),
      testZone: keep('dns.testZone', dns.testZone, `test.${domain}`),
    },
    control: {
      ...control,
      publicUrl: keep('control.publicUrl', control.publicUrl, `https://${domain}`),
      addresses: keep('control.addresses', control.addresses, addresses),
      dnsAddresses: keep('control.dnsAddresses', control.dnsAddresses, addresses),
    },
    relay: {
      ...relay,
      tls: keep('relay.tls', relay.tls, listen(443)),
      http: keep('relay.http', relay.http, listen(80)),
      quic: keep('relay.quic', relay.quic, listen(443)),
      region,
      probeSources: keep('relay.probeSources', relay.probeSources, local.map(wholePrefix)),
    },
  };
}

function socketAddress(text: string, port: number): string {
  return formatSocketAddress({ address: parseAddress(text)!, port });
}

/** The address at which this host reaches an address of its own: a mapped one (1:1 NAT) may not be reachable from inside. */
export function reachedAt(address: string, config: Pick<FileConfig, 'address' | 'listenAddress'>): string {
  return address === config.address ? (config.listenAddress ?? address) : address;
}

/** The canonical form of a single address among prefixes. */
function wholePrefix(text: string): string {
  return `${text}/${parseAddress(text)!.bytes.length * 8}`;
}
