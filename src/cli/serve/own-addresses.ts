import { networkInterfaces } from 'node:os';
import { type Address, formatAddress, parseAddress, scopeOf } from '../../net/index.ts';

const LINK_ALONE = new Set(['loopback', 'link-local', 'unspecified']);

/** Whether an interface has an address of the family that leads further than its own link. */
export function hasFamily(family: 4 | 6): boolean {
  return interfaceAddresses().some(
    (address) => address.family === family && !LINK_ALONE.has(scopeOf(address)),
  );
}

/** Addresses by which this machine may be known: those that it listens on, and its interfaces'. */
export function ownAddresses(listeners: readonly string[]): string[] {
  return [...new Set([...listeners, ...interfaceAddresses().map(formatAddress)])];
}

function interfaceAddresses(): Address[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).flatMap(({ address }) => parseAddress(address.replace(/%.*$/, '')) ?? []),
  );
}
