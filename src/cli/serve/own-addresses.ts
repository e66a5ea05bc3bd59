import { networkInterfaces } from 'node:os';
import type { Config } from '../../config/index.ts';
import { type Address, formatAddress, parseAddress, parseSocketAddress, scopeOf } from '../../net/index.ts';

/** Zone of a link-local address: `%eth0`. */
const ZONE = /%.*$/;
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

/** Addresses of the relays of all regions, as canonical text. */
export function relayAddresses({ regions }: Config): string[] {
  return Object.values(regions).flatMap(({ relays }) =>
    relays.flatMap(({ address, address6 }) => [address, address6].filter((text) => text !== null)),
  );
}

/**
 * The service's own public addresses, which are never registered: relays and public DNS listeners. Loopback and private
 * addresses are left out: in a trial on a laptop the device is the machine itself.
 */
export function unregistrableAddresses(config: Config): Address[] {
  const { udp, tcp, tls, https } = config.dns;
  const listeners = [...udp, ...tcp, ...tls, ...https].map((text) => parseSocketAddress(text)!.address);
  const relays = relayAddresses(config).map((text) => parseAddress(text)!);
  return [...relays, ...listeners].filter((address) => scopeOf(address) === 'public');
}

/** Addresses that this machine is known by: its interfaces' and those in `listeners`, as canonical text. */
export function machineAddresses(listeners: readonly string[] = []): string[] {
  return [...new Set([...listeners, ...interfaceAddresses().map(formatAddress)])];
}
