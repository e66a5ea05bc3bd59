import type { Address } from './address.ts';
import { contains, type Prefix, parsePrefix } from './prefix.ts';

/**
 * Purpose of an address. Only `public` addresses can be a home's source on the Internet, or an origin to relay
 * to. `translation` addresses contain an IPv4 address that a gateway would unwrap; `reserved` covers network
 * services (anycast, AS112) and unallocated space.
 */
export type Scope =
  | 'public'
  | 'private'
  | 'loopback'
  | 'link-local'
  | 'multicast'
  | 'documentation'
  | 'shared'
  | 'benchmarking'
  | 'translation'
  | 'reserved'
  | 'unspecified';

/**
 * Ranges with their RFC, from the IANA registries iana-ipv4-special-registry and iana-ipv6-special-registry
 * (RFC 6890, 8190), iana-multicast-addresses and ipv6-address-space. The most specific range counts.
 */
const RANGES: readonly (readonly [prefix: string, scope: Scope, source: string])[] = [
  ['0.0.0.0/32', 'unspecified', 'RFC 1122, 3.2.1.3'],
  ['0.0.0.0/8', 'reserved', 'RFC 791, 3.2'],
  ['10.0.0.0/8', 'private', 'RFC 1918'],
  ['100.64.0.0/10', 'shared', 'RFC 6598'],
  ['127.0.0.0/8', 'loopback', 'RFC 1122, 3.2.1.3'],
  ['169.254.0.0/16', 'link-local', 'RFC 3927'],
  ['172.16.0.0/12', 'private', 'RFC 1918'],
  ['192.0.0.0/24', 'reserved', 'RFC 6890, 2.1; with it 192.0.0.0/29, .8, .9, .10, .170, .171'],
  ['192.0.2.0/24', 'documentation', 'RFC 5737'],
  ['192.31.196.0/24', 'reserved', 'RFC 7535: AS112'],
  ['192.52.193.0/24', 'reserved', 'RFC 7450: AMT'],
  ['192.88.99.0/24', 'translation', 'RFC 7526: 6to4 relay anycast; RFC 6751: 6a44'],
  ['192.168.0.0/16', 'private', 'RFC 1918'],
  ['192.175.48.0/24', 'reserved', 'RFC 7534: AS112'],
  ['198.18.0.0/15', 'benchmarking', 'RFC 2544'],
  ['198.51.100.0/24', 'documentation', 'RFC 5737'],
  ['203.0.113.0/24', 'documentation', 'RFC 5737'],
  ['224.0.0.0/4', 'multicast', 'RFC 5771'],
  ['240.0.0.0/4', 'reserved', 'RFC 1112, 4; with it 255.255.255.255 (RFC 8190)'],

  ['::/0', 'reserved', 'RFC 4291, 2.4: global unicast is allotted from 2000::/3 only'],
  ['2000::/3', 'public', 'RFC 4291; ipv6-address-space'],
  ['::/128', 'unspecified', 'RFC 4291, 2.5.2'],
  ['::1/128', 'loopback', 'RFC 4291, 2.5.3'],
  ['::/96', 'translation', 'RFC 4291, 2.5.5.1: IPv4-compatible'],
  ['64:ff9b::/96', 'translation', 'RFC 6052'],
  ['64:ff9b:1::/48', 'translation', 'RFC 8215'],
  ['100::/64', 'reserved', 'RFC 6666: discard'],
  ['100:0:0:1::/64', 'reserved', 'RFC 9780: dummy'],
  ['2001::/23', 'reserved', 'RFC 2928: protocol assignments, with all that are made in it but the two below'],
  ['2001::/32', 'translation', 'RFC 4380: Teredo'],
  ['2001:2::/48', 'benchmarking', 'RFC 5180'],
  ['2001:db8::/32', 'documentation', 'RFC 3849'],
  ['2002::/16', 'translation', 'RFC 3056: 6to4'],
  ['2620:4f:8000::/48', 'reserved', 'RFC 7534: AS112'],
  ['3fff::/20', 'documentation', 'RFC 9637'],
  ['5f00::/16', 'reserved', 'RFC 9602: SRv6 segment ids'],
  ['fc00::/7', 'private', 'RFC 4193'],
  ['fe80::/10', 'link-local', 'RFC 4291, 2.5.6'],
  ['fec0::/10', 'private', 'RFC 3879: site-local, deprecated'],
  ['ff00::/8', 'multicast', 'RFC 4291, 2.7'],
];

const rows: readonly { prefix: Prefix; scope: Scope }[] = RANGES.map(([text, scope]) => {
  const prefix = parsePrefix(text);
  if (!prefix) throw new Error(`scope.ts: ${text} is not a prefix`);
  return { prefix, scope };
}).sort((a, b) => b.prefix.length - a.prefix.length);

export function scopeOf(address: Address): Scope {
  for (const row of rows) {
    if (contains(row.prefix, address)) return row.scope;
  }
  return 'public';
}
