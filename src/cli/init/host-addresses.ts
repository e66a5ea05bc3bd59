import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { type Family, formatAddress, parseAddress, scopeOf } from '../../net/index.ts';
import { UsageError } from '../command.ts';
import { ObstacleError } from './obstacle.ts';

export interface HostAddresses {
  readonly address: string;
  /** Null: the host has no public IPv6 address. */
  readonly address6: string | null;
}

/** Outside addresses that the route is asked for. No packet is sent. */
const OUTSIDE = { 4: '192.0.2.1', 6: '2001:db8::1' } as const;

/**
 * Finds the addresses that this host serves.
 * @param given addresses of the flags, which must be on an interface
 * @throws ObstacleError, UsageError
 */
export async function findAddresses(given: {
  address: string | undefined;
  address6: string | undefined;
}): Promise<HostAddresses> {
  return { address: await findIpv4(given.address), address6: await findIpv6(given.address6) };
}

async function findIpv4(given: string | undefined): Promise<string> {
  const own = ownAddresses(4);
  if (given !== undefined) {
    const address = readAddress(given, 4, '--address');
    if (own.includes(address)) return address;
    throw new ObstacleError(
      `${address} is not on an interface of this host, which has ${listed(own)}. If a router or the provider translates it ` +
        '(NAT), homes would all come from one address and the relay could not tell them apart. Give the host the public ' +
        'address itself, or name another with --address, and run init again.',
    );
  }
  const open = own.filter(isPublic);
  if (open.length === 1) return open[0]!;
  if (open.length === 0) {
    throw new ObstacleError(
      `This host has no public IPv4 address, only ${listed(own)}: it is behind NAT, or has none. Homes reach the service at ` +
        'a public address of its own. Use a host with one (any VPS), or ask the provider to give the interface its public ' +
        'address; then run init again. To try MediaStreamer on this machine, npm start needs no address.',
    );
  }
  const routed = await routedAddress(4);
  if (routed !== null && open.includes(routed)) return routed;
  throw new ObstacleError(
    `This host has several public IPv4 addresses: ${listed(open)}. Run init again with --address and one of them.`,
  );
}

async function findIpv6(given: string | undefined): Promise<string | null> {
  const own = ownAddresses(6);
  if (given !== undefined) {
    const address = readAddress(given, 6, '--address6');
    if (own.includes(address)) return address;
    const has = own.some(isPublic) ? `has ${listed(own.filter(isPublic))}` : 'has no IPv6';
    throw new ObstacleError(
      `${address} is not on an interface of this host, which ${has}. Leave --address6 out, since IPv4 is enough, or set up ` +
        'IPv6 on the host first; then run init again.',
    );
  }
  const open = own.filter(isPublic);
  const routed = open.length > 1 ? await routedAddress(6) : null;
  return routed !== null && open.includes(routed) ? routed : (open[0] ?? null);
}

function readAddress(text: string, family: Family, flag: string): string {
  const address = parseAddress(text);
  if (address === null || address.bytes.length * 8 !== (family === 4 ? 32 : 128)) {
    throw new UsageError(`expected ${flag} with an IPv${family} address`);
  }
  return formatAddress(address);
}

function ownAddresses(family: Family): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all
    .filter((one) => one.family === `IPv${family}`)
    .flatMap(({ address }) => {
      const parsed = parseAddress(address);
      return parsed === null ? [] : [formatAddress(parsed)];
    });
}

function isPublic(text: string): boolean {
  return scopeOf(parseAddress(text)!) === 'public';
}

/** The source address of packets to the outside; null: no route. */
async function routedAddress(family: Family): Promise<string | null> {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
  try {
    socket.connect(53, OUTSIDE[family]);
    await once(socket, 'connect');
    return socket.address().address;
  } catch {
    return null;
  } finally {
    socket.close();
  }
}

function listed(addresses: readonly string[]): string {
  return addresses.length === 0 ? 'no address' : addresses.join(', ');
}
