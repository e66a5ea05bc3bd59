import { type Address, formatAddress, parseAddress } from './address.ts';

export interface SocketAddress {
  readonly address: Address;
  readonly port: number;
  /** An open socket of this address, inherited from another process; absent: the address has to be bound. */
  readonly fd?: number;
}

/**
 * Parses `127.0.0.1:5300` or `[::1]:53`. Port 0 asks the kernel for a free one.
 * @returns null for anything else, host names included
 */
export function parseSocketAddress(text: string): SocketAddress | null {
  const match = /^(?:\[([^\]]*:[^\]]*)\]|([^:[\]]+)):(0|[1-9]\d{0,4})$/.exec(text);
  if (!match) return null;
  const address = parseAddress(match[1] ?? match[2]);
  const port = Number(match[3]);
  return address && port <= 65_535 ? { address, port } : null;
}

export function formatSocketAddress(socketAddress: SocketAddress): string {
  const host = formatAddress(socketAddress.address);
  return socketAddress.address.family === 4
    ? `${host}:${socketAddress.port}`
    : `[${host}]:${socketAddress.port}`;
}

/** Where a server of node:net listens: on the inherited socket, else on the address, IPv6 without IPv4. */
export function listenOptions({
  address,
  port,
  fd,
}: SocketAddress): { host: string; port: number; ipv6Only: boolean } | { fd: number } {
  return fd === undefined ? { host: formatAddress(address), port, ipv6Only: address.family === 6 } : { fd };
}

/** Drops repeated addresses, which several inherited sockets have, and the sockets. */
export function distinctAddresses(addresses: readonly SocketAddress[]): SocketAddress[] {
  const byText = new Map<string, SocketAddress>();
  for (const { address, port } of addresses)
    byText.set(formatSocketAddress({ address, port }), { address, port });
  return [...byText.values()];
}
