import {
  type Address,
  formatAddress,
  parseAddress,
  parseSocketAddress,
  readWord,
  scopeOf,
} from '../net/index.ts';

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
const METADATA = keysOf(['168.63.129.16', '169.254.169.254', '192.0.0.192', 'fd00:ec2::254', 'fd20:ce::254']);

/**
 * Decides which addresses may be connected to. It checks the address that connect(2) gets, after all resolving,
 * so no notation, name or later answer bypasses it. IPv4-mapped addresses are already IPv4 here
 * (net/address.ts); other forms of IPv4 in IPv6 are never allowed.
 */
export class EgressGuard {
  private readonly own: ReadonlySet<AddressKey>;
  private readonly listeners: ReadonlyMap<AddressKey, ReadonlySet<number>>;
  private readonly wildcardPorts: ReadonlySet<number>;
  private readonly allowPrivate: boolean;

  constructor({ ownAddresses, listeners, allowPrivate }: EgressRules) {
    const parsed = listeners.map((text) => parseSocketAddress(text)!);
    const portsOf = (key: AddressKey) =>
      new Set(parsed.filter(({ address }) => keyOf(address) === key).map(({ port }) => port));
    this.own = keysOf(ownAddresses);
    this.listeners = new Map(parsed.map(({ address }) => [keyOf(address), portsOf(keyOf(address))]));
    this.wildcardPorts = new Set(
      parsed.filter(({ address }) => scopeOf(address) === 'unspecified').map(({ port }) => port),
    );
    this.allowPrivate = allowPrivate;
  }

  /** True for addresses of this machine and of the service's other hosts. */
  isOwn(address: Address): boolean {
    return this.own.has(keyOf(address));
  }

  allows(address: Address, port: number): boolean {
    const key = keyOf(address);
    if (METADATA.has(key) || this.listeners.get(key)?.has(port)) return false;
    const scope = scopeOf(address);
    if (scope === 'public') return !this.own.has(key);
    if (!this.allowPrivate || (scope !== 'private' && scope !== 'loopback')) return false;
    const isOwn = scope === 'loopback' || this.own.has(key);
    return !(isOwn && this.wildcardPorts.has(port));
  }
}

/** IPv4 as a number, as making text of it would cost each connection 3 us; IPv6 as text. */
type AddressKey = number | string;

function keyOf(address: Address): AddressKey {
  return address.family === 4 ? readWord(address.bytes, 0) : formatAddress(address);
}

function keysOf(texts: readonly string[]): Set<AddressKey> {
  return new Set(texts.map((text) => keyOf(parseAddress(text)!)));
}
