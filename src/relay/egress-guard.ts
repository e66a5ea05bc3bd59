import { type Address, formatAddress, parseAddress, parseSocketAddress, scopeOf } from '../net/index.ts';

/** Addresses a relay must not connect to; plain data that can be posted to threads. */
export interface EgressRules {
  /** Addresses of this machine and of the service's relays. */
  readonly ownAddresses: readonly string[];
  /** `address:port` of every listener of this process. */
  readonly listeners: readonly string[];
  /** Allows private and loopback addresses, for tests and trials on one machine. */
  readonly allowPrivate: boolean;
}

/**
 * Cloud metadata addresses outside the link-local range: Azure's is in public space; those of AWS, Google and
 * Oracle lie in ranges that allowPrivate would allow. They hand out credentials.
 */
const METADATA = new Set([
  '168.63.129.16',
  '169.254.169.254',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd20:ce::254',
]);

/**
 * Decides which addresses may be connected to. It checks the address that connect(2) gets, after all resolving,
 * so no notation, name or later answer bypasses it. IPv4-mapped addresses are already IPv4 here
 * (net/address.ts); other forms of IPv4 in IPv6 are never allowed.
 */
export class EgressGuard {
  private readonly own: ReadonlySet<string>;
  private readonly listeners: ReadonlySet<string>;
  private readonly wildcardPorts: ReadonlySet<number>;
  private readonly allowPrivate: boolean;

  constructor({ ownAddresses, listeners, allowPrivate }: EgressRules) {
    const parsed = listeners.map((text) => parseSocketAddress(text)!);
    this.own = new Set(ownAddresses.map((text) => formatAddress(parseAddress(text)!)));
    this.listeners = new Set(parsed.map(({ address, port }) => keyOf(address, port)));
    this.wildcardPorts = new Set(
      parsed.filter(({ address }) => scopeOf(address) === 'unspecified').map(({ port }) => port),
    );
    this.allowPrivate = allowPrivate;
  }

  allows(address: Address, port: number): boolean {
    const text = formatAddress(address);
    const scope = scopeOf(address);
    if (METADATA.has(text) || this.listeners.has(keyOf(address, port))) return false;
    if (scope === 'public') return !this.own.has(text);
    if (!this.allowPrivate || (scope !== 'private' && scope !== 'loopback')) return false;
    const isOwn = scope === 'loopback' || this.own.has(text);
    return !(isOwn && this.wildcardPorts.has(port));
  }
}

function keyOf(address: Address, port: number): string {
  return `${formatAddress(address)} ${port}`;
}
