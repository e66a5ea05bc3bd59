import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { type Family, formatAddress, parseAddress, scopeOf } from '../../net/index.ts';
import { type Io, UsageError } from '../command.ts';
import { isYes } from './answers.ts';
import { ObstacleError } from './obstacle.ts';
import { addressesOf, type PublicAddresses } from './records.ts';

export interface HostAddresses extends PublicAddresses {
  /** Address of this host that the provider maps `address` to (1:1 NAT); null: `address` is on an interface. */
  readonly listenAddress: string | null;
}

/** Addresses of the flags; undefined: find them. */
interface GivenAddresses {
  readonly address: string | undefined;
  readonly address6: string | undefined;
  readonly listen: string | undefined;
}

export interface FindOptions {
  /** Its A record says which public address a provider maps to a private one. */
  readonly domain: string;
  /** Asks at the terminal; undefined: nobody can be asked. */
  readonly ask: Io['ask'];
}

/** Outside addresses that the route is asked for. No packet is sent. */
const OUTSIDE = { 4: '192.0.2.1', 6: '2001:db8::1' } as const;
const MAPPING = 'AWS, Google Cloud, Azure and Oracle do so';

/** Finds the addresses that this host serves. @throws ObstacleError, UsageError */
export async function findAddresses(given: GivenAddresses, options: FindOptions): Promise<HostAddresses> {
  return { ...(await findIpv4(given, options)), address6: await findIpv6(given.address6) };
}

/** Addresses that listeners open. */
export function listenAddresses({ address, address6, listenAddress }: HostAddresses): string[] {
  return [listenAddress ?? address, address6].filter((text) => text !== null);
}

type Ipv4 = Pick<HostAddresses, 'address' | 'listenAddress'>;

async function findIpv4({ address: given, listen }: GivenAddresses, options: FindOptions): Promise<Ipv4> {
  const own = ownAddresses(4);
  const local = listen === undefined ? null : readAddress(listen, 4, '--listen');
  if (local !== null && !own.includes(local)) {
    throw new ObstacleError(
      `${local} is not on an interface of this host, which has ${listed(own)}. Name one of these with --listen, or leave it ` +
        'out; then run init again.',
    );
  }
  if (given !== undefined) return givenIpv4(readAddress(given, 4, '--address'), own, local);
  const open = own.filter(isPublic);
  if (open.length === 0 || local !== null) return mappedIpv4(own, local, options);
  if (open.length === 1) return { address: open[0]!, listenAddress: null };
  const routed = await routedAddress(4);
  if (routed !== null && open.includes(routed)) return { address: routed, listenAddress: null };
  throw new ObstacleError(
    `This host has several public IPv4 addresses: ${listed(open)}. Run init again with --address and one of them.`,
  );
}

/** @param local address of --listen */
async function givenIpv4(address: string, own: readonly string[], local: string | null): Promise<Ipv4> {
  if (!mayBePublic(address)) {
    throw new ObstacleError(
      `${address} is a private address: homes cannot reach it. If the provider maps a public address to it (1:1 NAT: ` +
        `${MAPPING}), name that one with --address. If none is mapped, use a host with a public IPv4 address (any VPS). Then run ` +
        'init again.',
    );
  }
  if (own.includes(address)) return { address, listenAddress: null };
  const inside = local ?? (own.some(isPublic) ? null : await privateAddress(own));
  if (inside !== null) return { address, listenAddress: inside };
  throw new ObstacleError(
    `${address} is not on an interface of this host, which has ${listed(own)}. If the provider maps it to one of these (1:1 ` +
      'NAT), name that one with --listen too; else name an address of this host with --address. Then run init again.',
  );
}

/** The host has a private address, and a public one may be mapped to it. */
async function mappedIpv4(
  own: readonly string[],
  local: string | null,
  { domain, ask }: FindOptions,
): Promise<Ipv4> {
  const listenAddress = local ?? (await privateAddress(own));
  if (listenAddress === null) {
    throw new ObstacleError(
      `This host has no IPv4 address, only ${listed(own)}. Use a host with a public one (any VPS), and run init there. To try ` +
        'MediaStreamer on this machine, npm start needs no address.',
    );
  }
  const records = (await addressesOf(domain, 4)).filter(mayBePublic);
  const [found] = records;
  if (records.length === 1 && found !== undefined) {
    const question = `This host is ${listenAddress}, and ${domain} points to ${found}. Does the provider map ${found} to this host? [Y/n] `;
    if (ask === undefined || isYes(await ask(question), true)) return { address: found, listenAddress };
  }
  const answer = (
    (await ask?.('Public IPv4 address that the provider maps to this host (empty: none): ')) ?? ''
  ).trim();
  const address = parseAddress(answer);
  if (address !== null && address.family === 4 && mayBePublic(answer)) {
    return { address: formatAddress(address), listenAddress };
  }
  throw new ObstacleError(
    `This host has no public IPv4 address, only ${listed(own)}. If the provider maps one to it (1:1 NAT: ${MAPPING}), find it ` +
      'on the provider’s page about this host, and name it with --address, or create the A record of ' +
      `${domain} with it. If none is mapped, homes cannot reach this host: use one with a public address (any VPS). Then run init ` +
      'again. To try MediaStreamer on this machine, npm start needs no address.',
  );
}

/** The private address that packets to the outside come from, or the only one. */
async function privateAddress(own: readonly string[]): Promise<string | null> {
  const inside = own.filter((text) => ['private', 'shared'].includes(scopeOf(parseAddress(text)!)));
  const routed = await routedAddress(4);
  if (routed !== null && inside.includes(routed)) return routed;
  return inside.length === 1 ? inside[0]! : null;
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

/** False for addresses that nobody outside can reach. */
function mayBePublic(text: string): boolean {
  return !['private', 'shared', 'loopback', 'link-local', 'unspecified'].includes(
    scopeOf(parseAddress(text)!),
  );
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
