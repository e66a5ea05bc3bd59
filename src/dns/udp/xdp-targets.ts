import { networkInterfaces } from 'node:os';
import { formatSocketAddress, parseAddress, type SocketAddress, scopeOf } from '../../net/index.ts';
import { MAX_XDP_TARGETS, XdpError, type XdpTarget } from '../../sys/xdp/index.ts';

/** Addresses of an interface and of the loopback interface, which often has anycast addresses. */
type AddressesOf = (name: string) => readonly string[];

/**
 * Lists the destinations to take from the interface: the listeners' addresses that the interface or the loopback
 * interface has; for a listener on all addresses, each of these. Other interfaces' addresses are left to the sockets,
 * because their packets may be for a VLAN or another host.
 * @throws XdpError if there are none or too many
 */
export function xdpTargets(
  name: string,
  listeners: readonly SocketAddress[],
  addressesOf: AddressesOf = hostAddresses,
): XdpTarget[] {
  const own = addressesOf(name)
    .map((text) => parseAddress(text)!)
    .filter((address) => scopeOf(address) !== 'loopback');
  const targets = listeners.flatMap(({ address: { family, bytes }, port }, listener) => {
    const isWildcard = bytes.every((byte) => byte === 0);
    return own
      .filter((address) => address.family === family)
      .filter((address) => isWildcard || Buffer.compare(address.bytes, bytes) === 0)
      .map((address): XdpTarget => ({ family, address: address.bytes, port, listener }));
  });
  if (targets.length === 0) {
    const asked = listeners.map(formatSocketAddress).join(', ') || 'none';
    throw new XdpError(
      `the interface "${name}" is down, or has none of the addresses that are listened on (${asked})`,
    );
  }
  if (targets.length > MAX_XDP_TARGETS) {
    throw new XdpError(
      `the interface "${name}" has ${targets.length} addresses that are listened on, and ${MAX_XDP_TARGETS} can be served: name them`,
    );
  }
  return targets;
}

function hostAddresses(name: string): string[] {
  const interfaces = networkInterfaces();
  const found = Object.entries(interfaces)
    .filter(([other, addresses]) => other === name || addresses?.some(({ internal }) => internal))
    .flatMap(([, addresses]) => addresses ?? [])
    .map(({ address }) => address);
  return [...new Set(found)];
}
