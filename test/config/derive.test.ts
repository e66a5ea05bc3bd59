import { describe, expect, it } from 'vitest';
import { reachedAt } from '../../src/config/index.ts';
import { load, problemsOf, REGIONS } from './builders.ts';

const ACME = 'acme: { email: me@example.com, agree: true }';
const HOST = 'domain: dns.example.com\naddress: 203.0.113.7';

describe('domain and address', () => {
  it('derive everything else of one host', () => {
    const { config, warnings } = load(`${HOST}\n${ACME}\naddress6: "2001:db8::7"`);
    expect(config.roles).toEqual(['control', 'edge', 'relay']);
    expect(config.dns.udp).toEqual(['203.0.113.7:53', '[2001:db8::7]:53']);
    expect(config.dns.tcp).toEqual(config.dns.udp);
    expect(config.dns.tls).toEqual(['203.0.113.7:853', '[2001:db8::7]:853']);
    expect(config.dns.https).toEqual([]);
    expect(config.dns.testZone).toBe('test.dns.example.com');
    expect(config.control).toMatchObject({
      publicUrl: 'https://dns.example.com',
      addresses: ['203.0.113.7', '2001:db8::7'],
      dnsAddresses: ['203.0.113.7', '2001:db8::7'],
      listen: ['127.0.0.1:8080'],
    });
    expect(config.relay).toMatchObject({
      tls: ['203.0.113.7:443', '[2001:db8::7]:443'],
      http: ['203.0.113.7:80', '[2001:db8::7]:80'],
      quic: ['203.0.113.7:443', '[2001:db8::7]:443'],
      region: 'us',
      probeSources: ['203.0.113.7/32', '2001:db8::7/128'],
    });
    const relay = { address: '203.0.113.7', address6: '2001:db8::7', weight: 1, group: null };
    expect(config.regions).toEqual({ us: { relays: [relay] } });
    expect(config.acme).toEqual({
      directory: 'https://acme-v02.api.letsencrypt.org/directory',
      email: 'me@example.com',
      agree: true,
      dnsHook: null,
    });
    // Documentation addresses are not public; nothing else is warned about.
    expect(warnings.map((line) => line.split(':')[0])).toEqual([
      'regions.us.relays[0]',
      'regions.us.relays[0]',
    ]);
  });

  it('open listeners at the address that the provider maps the public one to', () => {
    const { config } = load(`${HOST}\n${ACME}\nlistenAddress: 10.0.0.5`);
    expect(config.dns).toMatchObject({ udp: ['10.0.0.5:53'], tcp: ['10.0.0.5:53'], tls: ['10.0.0.5:853'] });
    expect(config.relay).toMatchObject({
      tls: ['10.0.0.5:443'],
      http: ['10.0.0.5:80'],
      quic: ['10.0.0.5:443'],
      probeSources: ['10.0.0.5/32'],
    });
    expect(config.control.dnsAddresses).toEqual(['203.0.113.7']);
    expect(config.regions['us']!.relays[0]!.address).toBe('203.0.113.7');
    expect(reachedAt('203.0.113.7', config)).toBe('10.0.0.5');
    expect(reachedAt('203.0.113.8', config)).toBe('203.0.113.8');
    expect(problemsOf(`listenAddress: 10.0.0.5\n${REGIONS}`)).toEqual([
      'listenAddress: found 10.0.0.5, expected address too: the public address that is mapped to it',
    ]);
  });

  it('leave keys of the file as they are', () => {
    const text = `${HOST}\n${ACME}\nrelay: { region: gb, quic: [] }\ndns: { udp: ["0.0.0.0:53"], testZone: null }`;
    const { config } = load(text);
    expect(config.dns.udp).toEqual(['0.0.0.0:53']);
    expect(config.dns.testZone).toBeNull();
    expect(config.relay.quic).toEqual([]);
    expect(config.relay.tls).toEqual(['203.0.113.7:443']);
    expect(Object.keys(config.regions)).toEqual(['gb']);
    expect(load(`${HOST}\n${ACME}\nroles: [control, edge]\n${REGIONS}`).config.roles).toEqual([
      'control',
      'edge',
    ]);
  });

  it('derive a region from regions of the file', () => {
    const text = `${HOST}\n${ACME}\nregions: { de: { relays: [{ address: 203.0.113.7 }] } }`;
    expect(load(text).config.relay.region).toBe('de');
  });

  it('are complete, or say what is missing', () => {
    expect(problemsOf(`domain: dns.example.com\n${ACME}\n${REGIONS}`)).toEqual([
      "address: found nothing, expected this host's public IPv4 address, as domain is set",
    ]);
    expect(problemsOf(HOST)).toEqual([
      'tls.certFile: found nothing, expected a PEM file (or acme), as dns.tls has listeners',
      'tls.keyFile: found nothing, expected a PEM file (or acme), as dns.tls has listeners',
    ]);
    expect(problemsOf(`${ACME}\n${REGIONS}`)).toEqual([
      'domain: found nothing, expected a name for the certificate, as acme is set',
    ]);
    expect(problemsOf(`${HOST}\nacme: { directory: "https://ca.example/dir" }`)).toEqual([
      'acme.agree: found false, expected true: the terms of the CA at https://ca.example/dir must be agreed to',
    ]);
    expect(problemsOf(`${HOST}\nacme: { email: "me at example", agree: true }`)).toEqual([
      'acme.email: found "me at example", expected a mail address, or null',
    ]);
  });
});

describe('warnings', () => {
  const PUBLIC = `${REGIONS}\ncontrol: { publicUrl: "https://dns.example.com" }`;
  const keysOf = (text: string) => load(text).warnings.map((line) => line.split(':')[0]);

  it('name what leaves the page empty', () => {
    expect(keysOf(PUBLIC)).toEqual(['control.dnsAddresses', 'dns.testZone']);
    const addresses = 'addresses: [203.0.113.1], dnsAddresses: [203.0.113.1] }';
    const full = `${PUBLIC.replace('.com" }', `.com", ${addresses}`)}\ndns: { testZone: check.example.com }`;
    expect(keysOf(full)).not.toContain('control.dnsAddresses');
    expect(keysOf(full)).not.toContain('dns.testZone');
    expect(keysOf(REGIONS)).toEqual([]);
  });

  it('say when probes cannot keep their interval', () => {
    const probing = (count: number, concurrency: number) =>
      load(`
health: { names: [www.example.com], concurrency: ${concurrency} }
regions: { us: { relays: [${Array.from({ length: count }, (_, index) => `{ address: 203.0.113.${index + 1} }`)}] } }
defaultRegion: us`).warnings.filter((text) => text.startsWith('health.concurrency'));
    expect(probing(100, 8)).toEqual([
      'health.concurrency: 100 relay addresses that hang take 65 s to probe, longer than health.intervalSeconds (10): set it to 50 or more',
    ]);
    expect(probing(100, 50)).toEqual([]);
    expect(probing(8, 8)).toEqual([]);
  });

  it('name a relay that its own edge cannot probe', () => {
    const probing = (sources: string, listener: string) => `${REGIONS}
roles: [edge, relay]
health: { names: [a.example, b.example] }
relay: { tls: ["${listener}"], probeSources: [${sources}] }`;
    expect(load(probing('', '203.0.113.1:443')).warnings).toContain(
      'relay.probeSources: health probes of this process cannot enter its own relay: add 203.0.113.1',
    );
    expect(load(probing('', '0.0.0.0:443')).warnings).toContain(
      "relay.probeSources: health probes of this process cannot enter its own relay: add this host's address",
    );
    for (const [sources, listener] of [
      ['203.0.113.0/24', '203.0.113.1:443'],
      ['203.0.113.1', '0.0.0.0:443'],
      ['203.0.113.1', '203.0.113.1:443'],
    ] as const) {
      expect(keysOf(probing(sources, listener))).not.toContain('relay.probeSources');
    }
  });
});
