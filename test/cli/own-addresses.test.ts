import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isOwnPrefix, OwnAddresses, ownHosts, ownPrefixes } from '../../src/cli/serve/own-addresses.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { parseAddress, registrationPrefix } from '../../src/net/index.ts';

function configOf(fields: object): Config {
  const directory = mkdtempSync(join(tmpdir(), 'own-'));
  try {
    writeFileSync(
      join(directory, 'c.yaml'),
      JSON.stringify({
        regions: { us: { relays: [{ address: '5.5.5.1', address6: '2600:5::1' }] } },
        ...fields,
      }),
    );
    return loadConfig({ file: 'c.yaml', env: {}, cwd: directory }).config;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const prefix = (text: string) => registrationPrefix(parseAddress(text)!);
const HOME = '5.9.9.9';

describe('the own addresses', () => {
  it.each<[string, object, string]>([
    ['a relay', {}, '5.5.5.1'],
    ["the /64 of a relay's IPv6 address", {}, '2600:5::ffff'],
    ['a DNS listener', { dns: { udp: ['5.6.7.8:53'] } }, '5.6.7.8'],
    ['a DNS address', { control: { dnsAddresses: ['5.6.7.8'] } }, '5.6.7.8'],
    ['an address of the API', { control: { addresses: ['5.6.7.8'] } }, '5.6.7.8'],
    ['the host of publicUrl', { control: { publicUrl: 'https://5.6.7.8' } }, '5.6.7.8'],
    ['the API listener', { control: { listen: ['5.6.7.8:80'] } }, '5.6.7.8'],
    ['a trusted proxy', { control: { trustedProxies: ['5.6.7.0/24'] } }, '5.6.7.8'],
    ['a balancer of the edge', { dns: { proxyProtocolFrom: ['5.6.7.8'] } }, '5.6.7.8'],
    ['a relay listener', { roles: ['relay'], relay: { tls: ['5.6.7.8:443'] } }, '5.6.7.8'],
    ['an edge that probes', { relay: { probeSources: ['5.6.7.8'] } }, '5.6.7.8'],
    ['an address that is mapped to this host', { address: '5.6.7.8', listenAddress: '10.0.0.5' }, '5.6.7.8'],
    ['an egress address', { relay: { egress: { localAddress: '5.6.7.8' } } }, '5.6.7.8'],
  ])('include %s, and no home', (_, fields, address) => {
    const own = ownPrefixes(configOf(fields), [], []);
    expect([isOwnPrefix(prefix(address), own), isOwnPrefix(prefix(HOME), own)]).toEqual([true, false]);
  });

  it('include the interfaces of wildcard listeners, except private ones of a trial', () => {
    const config = configOf({ dns: { udp: ['0.0.0.0:53'] } });
    const own = ownPrefixes(config, [], [parseAddress('5.6.7.8')!, parseAddress('192.168.1.2')!]);
    expect(isOwnPrefix(prefix('5.6.7.8'), own)).toBe(true);
    expect(isOwnPrefix(prefix('192.168.1.2'), own)).toBe(false);
  });

  it('include reported addresses within control.fleetPrefixes only', () => {
    const config = configOf({ control: { fleetPrefixes: ['5.6.7.0/24'] } });
    const own = ownPrefixes(config, ['5.6.7.8', HOME], []);
    expect([isOwnPrefix(prefix('5.6.7.8'), own), isOwnPrefix(prefix(HOME), own)]).toEqual([true, false]);
  });

  it('change with a reload at once', () => {
    let config = configOf({});
    const own = new OwnAddresses(
      () => config,
      () => [],
      () => 0,
    );
    expect(own.overlaps(prefix('5.6.7.8'))).toBe(false);
    config = configOf({ control: { dnsAddresses: ['5.6.7.8'] } });
    expect(own.overlaps(prefix('5.6.7.8'))).toBe(true);
  });

  it('leave ranges out for the egress guard: a CDN that is a proxy also serves origins', () => {
    const hosts = ownHosts(configOf({ control: { trustedProxies: ['104.16.0.0/13', '5.6.7.8'] } }));
    expect(hosts).toEqual(expect.arrayContaining(['5.5.5.1', '2600:5::1', '5.6.7.8']));
    expect(hosts).not.toContain('104.16.0.0');
  });
});
