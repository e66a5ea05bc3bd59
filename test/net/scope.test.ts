import { describe, expect, test } from 'vitest';
import { parseAddress, parsePrefix, scopeOf } from '../../src/net/index.ts';

function lastOf(text: string): Uint8Array {
  const { bytes, length } = parsePrefix(text)!;
  const last = Uint8Array.from(bytes);
  for (let index = length; index < 8 * last.length; index++) last[index >> 3] |= 0x80 >> (index & 7);
  return last;
}

/**
 * Every row of IANA's two special-purpose registries and of the multicast and IPv6 address-space registries.
 */
const REGISTRY = [
  ['0.0.0.0/32', 'unspecified'],
  ['0.0.0.1/32', 'reserved'],
  ['0.255.255.0/24', 'reserved'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'shared'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'reserved'],
  ['192.0.0.0/29', 'reserved'],
  ['192.0.0.8/32', 'reserved'],
  ['192.0.0.9/32', 'reserved'],
  ['192.0.0.10/32', 'reserved'],
  ['192.0.0.170/32', 'reserved'],
  ['192.0.0.171/32', 'reserved'],
  ['192.0.2.0/24', 'documentation'],
  ['192.31.196.0/24', 'reserved'],
  ['192.52.193.0/24', 'reserved'],
  ['192.88.99.0/24', 'translation'],
  ['192.88.99.2/32', 'translation'],
  ['192.168.0.0/16', 'private'],
  ['192.175.48.0/24', 'reserved'],
  ['198.18.0.0/15', 'benchmarking'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
  ['255.255.255.255/32', 'reserved'],
  ['::1/128', 'loopback'],
  ['::/128', 'unspecified'],
  ['::1.2.3.4/128', 'translation'],
  ['64:ff9b::/96', 'translation'],
  ['64:ff9b:1::/48', 'translation'],
  ['100::/64', 'reserved'],
  ['100:0:0:1::/64', 'reserved'],
  ['2001::/32', 'translation'],
  ['2001:1::1/128', 'reserved'],
  ['2001:1::2/128', 'reserved'],
  ['2001:1::3/128', 'reserved'],
  ['2001:2::/48', 'benchmarking'],
  ['2001:3::/32', 'reserved'],
  ['2001:4:112::/48', 'reserved'],
  ['2001:10::/28', 'reserved'],
  ['2001:20::/28', 'reserved'],
  ['2001:30::/28', 'reserved'],
  ['2001:1ff::/32', 'reserved'],
  ['2001:db8::/32', 'documentation'],
  ['2002::/16', 'translation'],
  ['2620:4f:8000::/48', 'reserved'],
  ['3fff::/20', 'documentation'],
  ['5f00::/16', 'reserved'],
  ['fc00::/7', 'private'],
  ['fe80::/10', 'link-local'],
  ['fec0::/10', 'private'],
  ['ff00::/8', 'multicast'],
  ['4000::/3', 'reserved'],
  ['1000::/4', 'reserved'],
] as const;

describe('scopeOf', () => {
  test.each(REGISTRY)('%s, first and last address: %s', (text, scope) => {
    const { family, bytes } = parsePrefix(text)!;
    expect(scopeOf({ family, bytes })).toBe(scope);
    if (text !== '4000::/3') expect(scopeOf({ family, bytes: lastOf(text) })).toBe(scope);
  });

  test.each([
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.0.3.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '198.51.101.0',
    '203.0.112.255',
    '203.0.114.0',
    '223.255.255.255',
    '2000::',
    '2001:200::',
    '2001:db7::',
    '2001:db9::',
    '2003::',
    '2606:4700::1111',
    '2620:4f:8001::',
    '3ffe::',
    '3fff:1000::',
  ])('%s is public', (text) => {
    expect(scopeOf(parseAddress(text)!)).toBe('public');
  });

  test('an IPv4-mapped address has the scope of the IPv4 one', () => {
    expect(scopeOf(parseAddress('::ffff:127.0.0.1')!)).toBe('loopback');
    expect(scopeOf(parseAddress('::ffff:169.254.169.254')!)).toBe('link-local');
  });
});
