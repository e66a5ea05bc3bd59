import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { linesOf, problemsOf, REGIONS } from './builders.ts';

const SOCKET = 'an address and port, such as 127.0.0.1:5300 or [::1]:5300';
const WHOLE = (from: number, to: number) => `a whole number from ${from} to ${to}`;
const PREFIX = 'an address or a prefix with no bits past its length, such as 10.0.0.0/8';
const URL_TEXT = 'an http:// or https:// URL without a user, a query or a fragment';
const UPSTREAM =
  'system, or udp://, tcp://, tls:// or https:// and ADDRESS[:PORT]; tls and https with #NAME of the certificate';
const ID = 'lower-case letters, digits and hyphens';
const IPV4 = 'an IPv4 unicast address, or null';
const IPV6 = 'an IPv6 unicast address, or null';
const PROXY = 'socks5:// or http:// and [USER:PASSWORD@]HOST:PORT';
const EGRESS = `direct, or ${PROXY} or a list, each ${PROXY} or a mapping with localAddress`;
const LOCAL = 'an IPv4 address, an IPv6 address, or one of each';

/** YAML to add to the regions, and its only error. */
const PROBLEMS: readonly (readonly [yaml: string, problem: string])[] = [
  // unknown and malformed keys
  [
    'colour: red',
    'colour: found an unknown key, expected one of domain, address, address6, listenAddress, acme, roles, dataDir, store, redis, dns, tls, upstreams, cache, catalog, regions, defaultRegion, health, registration, retention, privateNames, control, relay, readiness, metrics, log',
  ],
  [
    'dns: { upd: [] }',
    'dns.upd: found an unknown key, expected one of udp, tcp, tls, https, workers, engine, xdp, unregistered, rateLimit, shield, answerLimit, tcpLimits, lameDuckSeconds, bootstrapNames, testZone, cookieSecrets, proxyProtocolFrom',
  ],
  ['upstream: [system]', 'upstream: found an unknown key, expected upstreams?'],
  ['control: { adminkey: "a" }', 'control.adminkey: found an unknown key, expected adminKey?'],
  ['dns: { rate_limit: {} }', 'dns.rate_limit: found an unknown key, expected rateLimit?'],
  ['dns:', 'dns: found nothing, expected a mapping'],
  ['dns: []', 'dns: found an empty list, expected a mapping'],
  ['? [a]\n: 1', 'found a key that is not text, expected a key that is text'],
  [
    '"a\\nb": 1',
    '"a\\nb": found an unknown key, expected one of domain, address, address6, listenAddress, acme, roles, dataDir, store, redis, dns, tls, upstreams, cache, catalog, regions, defaultRegion, health, registration, retention, privateNames, control, relay, readiness, metrics, log',
  ],

  // roles, dataDir, store
  ['roles: edge', 'roles: found "edge", expected a list, each one of control, edge, relay'],
  ['roles: [edge, web]', 'roles[1]: found "web", expected one of control, edge, relay'],
  ['roles: [edge, edge]', 'roles[1]: found "edge" a second time, expected each once'],
  ['roles: []', 'roles: found an empty list, expected at least one of control, edge, relay'],
  [
    'roles: [relay]',
    'relay.tls: found no listener here nor in relay.http or relay.quic, expected one at least, as roles has relay',
  ],
  ['dataDir: 5', 'dataDir: found 5, expected a path'],
  ['dataDir: ""', 'dataDir: found "", expected a path'],
  ['store: file', 'store: found a string (not shown), expected embedded, or a redis:// or rediss:// URL'],
  ['store: 7', 'store: found a number (not shown), expected embedded, or a redis:// or rediss:// URL'],

  // dns
  ['dns: { udp: "127.0.0.1:53" }', `dns.udp: found "127.0.0.1:53", expected a list, each ${SOCKET}`],
  ['dns: { udp: [53] }', `dns.udp[0]: found 53, expected ${SOCKET}`],
  ['dns: { udp: ["localhost:53"] }', `dns.udp[0]: found "localhost:53", expected ${SOCKET}`],
  ['dns: { tcp: ["127.0.0.1:65536"] }', `dns.tcp[0]: found "127.0.0.1:65536", expected ${SOCKET}`],
  ['dns: { tcp: ["::1:53"] }', `dns.tcp[0]: found "::1:53", expected ${SOCKET}`],
  [
    'dns: { udp: [], tcp: [] }',
    'dns.udp: found no listener here nor in dns.tcp, expected one at least, as roles has edge',
  ],
  ['dns: { workers: 0 }', `dns.workers: found 0, expected auto or ${WHOLE(1, 64)}`],
  ['dns: { workers: all }', `dns.workers: found "all", expected auto or ${WHOLE(1, 64)}`],
  ['dns: { workers: 1.5 }', `dns.workers: found 1.5, expected auto or ${WHOLE(1, 64)}`],
  ['dns: { engine: epoll }', 'dns.engine: found "epoll", expected one of auto, mmsg, dgram, af-xdp'],
  [
    'dns: { engine: af-xdp }',
    'dns.xdp.interface: found nothing, expected a network interface, as dns.engine is af-xdp',
  ],
  [
    'dns: { engine: af-xdp, udp: [], xdp: { interface: eth0 } }',
    'dns.udp: found no listener, expected one at least, as dns.engine is af-xdp',
  ],
  [
    'dns: { xdp: { interface: "../eth0" } }',
    'dns.xdp.interface: found "../eth0", expected the name of a network interface, such as eth0, or null',
  ],
  ['dns: { xdp: { mode: skb } }', 'dns.xdp.mode: found "skb", expected one of auto, driver, generic'],
  ['dns: { xdp: { queues: 0 } }', `dns.xdp.queues: found 0, expected auto or ${WHOLE(1, 256)}`],
  ['dns: { unregistered: allow }', 'dns.unregistered: found "allow", expected one of refuse, drop'],
  ['dns: { rateLimit: 5 }', 'dns.rateLimit: found 5, expected a mapping'],
  [
    'dns: { rateLimit: { perSecond: 0 } }',
    `dns.rateLimit.perSecond: found 0, expected ${WHOLE(1, 1_000_000)}`,
  ],
  ['dns: { rateLimit: { burst: -1 } }', `dns.rateLimit.burst: found -1, expected ${WHOLE(1, 1_000_000)}`],
  ['dns: { shield: auto }', 'dns.shield: found "auto", expected a mapping'],
  ['dns: { shield: { mode: always } }', 'dns.shield.mode: found "always", expected one of auto, on, off'],
  [
    'dns: { shield: { engagePerSecond: 1000 } }',
    'dns.shield.samplePerSecond: found 5000, expected at most dns.shield.engagePerSecond (1000)',
  ],
  [
    'dns: { shield: { mode: on }, engine: dgram }',
    'dns.shield.mode: found "on", expected auto or off, as dns.engine is dgram',
  ],
  [
    'dns: { engine: af-xdp, xdp: { interface: eth0 }, shield: { mode: on } }',
    'dns.shield.mode: found "on", expected auto or off, as dns.engine is af-xdp',
  ],
  [
    'dns: { tcpLimits: { connections: "9" } }',
    `dns.tcpLimits.connections: found "9", expected ${WHOLE(1, 1_000_000)}`,
  ],
  [
    'dns: { tcpLimits: { connections: 10 } }',
    'dns.tcpLimits.connectionsPerSource: found 64, expected at most dns.tcpLimits.connections (10)',
  ],
  [
    'dns: { tcpLimits: { connectionsPerSource: 0 } }',
    `dns.tcpLimits.connectionsPerSource: found 0, expected ${WHOLE(1, 1_000_000)}`,
  ],
  [
    'dns: { tcpLimits: { idleSeconds: 601 } }',
    `dns.tcpLimits.idleSeconds: found 601, expected ${WHOLE(1, 600)}`,
  ],
  [
    'dns: { tcpLimits: { queriesPerConnection: 0 } }',
    `dns.tcpLimits.queriesPerConnection: found 0, expected ${WHOLE(1, 1_000_000)}`,
  ],

  // upstreams, cache, catalog
  ['upstreams: system', `upstreams: found "system", expected a list, each ${UPSTREAM}`],
  ['upstreams: []', 'upstreams: found an empty list, expected one at least, as roles has edge'],
  ['upstreams: [9.9.9.9]', `upstreams[0]: found "9.9.9.9", expected ${UPSTREAM}`],
  ['upstreams: [udp://dns.quad9.net]', `upstreams[0]: found "udp://dns.quad9.net", expected ${UPSTREAM}`],
  ['upstreams: [udp://9.9.9.9:0]', `upstreams[0]: found "udp://9.9.9.9:0", expected ${UPSTREAM}`],
  ['upstreams: ["udp://9.9.9.9#x"]', `upstreams[0]: found "udp://9.9.9.9#x", expected ${UPSTREAM}`],
  ['upstreams: ["udp://u:p@9.9.9.9"]', `upstreams[0]: found "udp://***@9.9.9.9", expected ${UPSTREAM}`],
  ['upstreams: [tls://dns.quad9.net]', `upstreams[0]: found "tls://dns.quad9.net", expected ${UPSTREAM}`],
  ['upstreams: [tls://9.9.9.9/x]', `upstreams[0]: found "tls://9.9.9.9/x", expected ${UPSTREAM}`],
  [
    'upstreams: [https://dns.quad9.net/dns-query]',
    `upstreams[0]: found "https://dns.quad9.net/dns-query", expected ${UPSTREAM}`,
  ],
  [
    'upstreams: [udp://9.9.9.9, "udp://9.9.9.9:53"]',
    'upstreams[1]: found "udp://9.9.9.9:53" a second time, expected each once',
  ],
  ['cache: { bytes: 64MB }', 'cache.bytes: found "64MB", expected a size from 1MiB to 2GiB, such as 64MiB'],
  ['cache: { bytes: 1000 }', 'cache.bytes: found 1000, expected a size from 1MiB to 2GiB, such as 64MiB'],
  ['cache: { bytes: 3GiB }', 'cache.bytes: found "3GiB", expected a size from 1MiB to 2GiB, such as 64MiB'],
  ['cache: { minTtlSeconds: -1 }', `cache.minTtlSeconds: found -1, expected ${WHOLE(0, 86_400)}`],
  ['cache: { maxTtlSeconds: 604801 }', `cache.maxTtlSeconds: found 604801, expected ${WHOLE(0, 604_800)}`],
  ['cache: { staleSeconds: .inf }', `cache.staleSeconds: found Infinity, expected ${WHOLE(0, 604_800)}`],
  [
    'cache: { minTtlSeconds: 60, maxTtlSeconds: 30 }',
    'cache.minTtlSeconds: found 60, expected at most cache.maxTtlSeconds (30)',
  ],
  ['catalog: { services: x.yaml }', 'catalog.services: found "x.yaml", expected a list, each a path'],
  ['catalog: { services: [""] }', 'catalog.services[0]: found "", expected a path'],
  [
    'catalog: { answerTtlSeconds: 1e9 }',
    `catalog.answerTtlSeconds: found 1000000000, expected ${WHOLE(0, 86_400)}`,
  ],

  // defaultRegion, registration, control, metrics, log
  ['defaultRegion: fr', 'defaultRegion: found "fr", expected one of us'],
  ['defaultRegion: US', `defaultRegion: found "US", expected ${ID}, or null`],
  ['registration: { perAccount: 0 }', `registration.perAccount: found 0, expected ${WHOLE(1, 10_000)}`],
  [
    'retention: { lapsedDays: 179 }',
    'retention.lapsedDays: found 179, expected at least 180, twice registration.leaseDays',
  ],
  ['registration: { leaseDays: 0 }', `registration.leaseDays: found 0, expected ${WHOLE(1, 3650)}`],
  ['registration: { allowPrivate: yes }', 'registration.allowPrivate: found "yes", expected true or false'],
  [
    'control: { listen: [] }',
    'control.listen: found an empty list, expected one address at least, as roles has control',
  ],
  ['control: { publicUrl: example.com }', `control.publicUrl: found "example.com", expected ${URL_TEXT}`],
  ['control: { publicUrl: "https://h/?q" }', `control.publicUrl: found "https://h/?q", expected ${URL_TEXT}`],
  [
    'control: { publicUrl: "https://u:p@h" }',
    `control.publicUrl: found "https://***@h", expected ${URL_TEXT}`,
  ],
  [
    'control: { adminKey: "two words" }',
    'control.adminKey: found a string (not shown), expected visible ASCII characters without spaces',
  ],
  [
    'control: { adminKey: 12345 }',
    'control.adminKey: found a number (not shown), expected visible ASCII characters without spaces',
  ],
  [
    'control: { adminKey: [s3cret] }',
    'control.adminKey: found a list, expected visible ASCII characters without spaces',
  ],
  [
    'control: { listen: ["127.0.0.1:1", "0.0.0.0:8080"], adminKey: fifteen-letters }',
    'control.adminKey: found a short string (not shown), expected at least 16 characters, as other machines reach control.listen',
  ],
  [
    'control: { keys: [{ id: backend, key: "sha256:1234" }] }',
    'control.keys[0].key: found a string (not shown), expected visible ASCII characters without spaces, or sha256: and 64 hexadecimal digits',
  ],
  [
    'control: { keys: [{ key: sixteen-characters }] }',
    'control.keys[0].id: found nothing, expected an id, so that keys can be told apart',
  ],
  [
    'control: { keys: [{ id: backend }] }',
    "control.keys[0].key: found nothing, expected a key, or sha256: and a key's digest",
  ],
  [
    'control: { keys: [{ id: a, key: sixteen-characters }, { id: a, key: other-characters }] }',
    'control.keys[1].id: found "a", which control.keys[0] has too, expected each id once',
  ],
  [
    'control: { keys: [{ id: a, key: sixteen-characters, scope: root }] }',
    'control.keys[0].scope: found "root", expected one of admin',
  ],
  [
    'control: { listen: ["0.0.0.0:8080"], keys: [{ id: a, key: fifteen-letters }] }',
    'control.keys[0].key: found a short string (not shown), expected at least 16 characters, as other machines reach control.listen',
  ],
  [
    'control: { trustedProxies: [10.0.0.1/8] }',
    `control.trustedProxies[0]: found "10.0.0.1/8", expected ${PREFIX}`,
  ],
  [
    'control: { trustedProxies: ["0.0.0.0/0"] }',
    'control.trustedProxies[0]: found 0.0.0.0/0, which is everyone, expected the proxies alone',
  ],
  [
    'dns: { proxyProtocolFrom: ["::/0"] }',
    'dns.proxyProtocolFrom[0]: found ::/0, which is everyone, expected the proxies alone',
  ],
  [
    'dns: { tls: ["127.0.0.1:853"] }\ntls: { keyFile: a.pem }',
    'tls.certFile: found nothing, expected a PEM file, as dns.tls has listeners',
  ],
  [
    'dns: { https: ["127.0.0.1:443"] }\ntls: { certFile: a.pem }',
    'tls.keyFile: found nothing, expected a PEM file, as dns.https has listeners',
  ],
  [
    'dns: { cookieSecrets: [hunter2] }',
    'dns.cookieSecrets[0]: found a string (not shown), expected 32 hexadecimal digits, such as openssl rand -hex 16 makes',
  ],
  ['tls: { keyFile: [] }', 'tls.keyFile: found an empty list, expected a path, or null'],
  ['metrics: { listen: [x] }', `metrics.listen[0]: found "x", expected ${SOCKET}`],
  ['log: { level: loud }', 'log.level: found "loud", expected one of fatal, error, warn, info, debug, trace'],

  // rules between keys
  ['dns: { bootstrapNames: ["a b"] }', 'dns.bootstrapNames[0]: found "a b", expected a host name'],
  [
    'dns: { testZone: t.example }\ncontrol: { publicUrl: "https://dns.example" }',
    'control.addresses: found no address, expected where dns.example is, for the names of dns.testZone',
  ],
  [
    'relay: { quic: ["127.0.0.1"] }',
    'relay.quic[0]: found "127.0.0.1", expected an address and port, such as 127.0.0.1:5300 or [::1]:5300',
  ],
  ['relay: { engine: splice }', 'relay.engine: found "splice", expected one of auto, epoll, streams'],
  [
    'relay: { limits: { handshakeSeconds: 0 } }',
    `relay.limits.handshakeSeconds: found 0, expected ${WHOLE(1, 60)}`,
  ],
  [
    'relay: { limits: { connections: 10 } }',
    'relay.limits.connectionsPerSource: found 512, expected at most relay.limits.connections (10)',
  ],
  [
    'roles: [relay]\nrelay: { quic: ["127.0.0.1:443"], egress: "socks5://p:1" }',
    'relay.quicMode: found "carry", expected refuse, as the proxies of relay.egress carry TCP only',
  ],
  ['relay: { quicMode: drop }', 'relay.quicMode: found "drop", expected one of carry, refuse'],

  // relay.egress: values that may hold a password are not shown
  [
    'relay: { egress: "socks5://u:hunter2@h" }',
    `relay.egress: found a string (not shown), expected ${EGRESS}`,
  ],
  [
    'relay: { egress: "https://p.example:443" }',
    `relay.egress: found a string (not shown), expected ${EGRESS}`,
  ],
  ['relay: { egress: 5 }', `relay.egress: found a number (not shown), expected ${EGRESS}`],
  ['relay: { egress: }', `relay.egress: found nothing, expected ${EGRESS}`],
  [
    'relay: { egress: ["socks5://u:hunter2@h"] }',
    `relay.egress[0]: found a string (not shown), expected ${PROXY}`,
  ],
  ['relay: { egress: [direct] }', `relay.egress[0]: found a string (not shown), expected ${PROXY}`],
  [
    'relay: { egress: ["http://p:1", "http://p:1"] }',
    'relay.egress[1]: found a string (not shown) a second time, expected each once',
  ],
  [
    'roles: [relay]\nrelay: { quic: ["127.0.0.1:443"], egress: "http://p:1" }',
    'relay.quicMode: found "carry", expected refuse, as the proxies of relay.egress carry TCP only',
  ],
  ['relay: { egress: [] }', 'relay.egress: found an empty list, expected one proxy at least'],
  [
    'relay: { egress: { address: 10.0.0.1 } }',
    'relay.egress.address: found an unknown key, expected one of localAddress',
  ],
  ['relay: { egress: {} }', `relay.egress.localAddress: found nothing, expected ${LOCAL}`],
  [
    'relay: { egress: { localAddress: eth0 } }',
    'relay.egress.localAddress: found "eth0", expected an address or a list, each an address',
  ],
  [
    'relay: { egress: { localAddress: [10.0.0.1, 10.0.0.2] } }',
    `relay.egress.localAddress: found two of one family, expected ${LOCAL}`,
  ],
  [
    'relay: { proxyProtocolTo: ["::/0"] }',
    'relay.proxyProtocolTo[0]: found ::/0, which is everyone, expected the origins that are yours',
  ],
  [
    'privateNames: { domain: dns.example.net, key: short }',
    'privateNames.key: found a short string (not shown), expected at least 16 characters, such as openssl rand -base64 24 makes',
  ],
  [
    'privateNames: { domain: dns.example.net }\nstore: redis://127.0.0.1',
    'privateNames.key: found nothing, expected one key on all controls, as store is Redis',
  ],
  [
    'privateNames: { domain: dns.example.net }\nstore: redis://127.0.0.1\nroles: [edge]',
    "privateNames.edgeKey: found nothing, expected the control's edgeKey, as this edge reports private names to the API of another process",
  ],
  ['relay: { proxyProtocolVersion: 2 }', 'relay.proxyProtocolVersion: found 2, expected one of v1, v2'],
];

const RELAY_PROBLEMS: readonly (readonly [regions: string, fault: string])[] = [
  ['regions: []', 'regions: found an empty list, expected a mapping'],
  ['regions: {}', 'regions: found no region, expected at least one, with its relays'],
  ['{}', 'regions: found no region, expected at least one, with its relays'],
  [
    'regions: { US: { relays: [{ address: 203.0.113.1 }] } }',
    `regions.US: found the key "US", expected ${ID}`,
  ],
  [
    'regions: { off: { relays: [{ address: 203.0.113.1 }] } }',
    'regions.off: found the region "off", expected another id: off means no relay for a service',
  ],
  ['regions: { us: {} }', 'regions.us.relays: found no relay, expected one at least'],
  ['regions: { us: { relays: [] } }', 'regions.us.relays: found no relay, expected one at least'],
  ['regions: { us: { relays: [9.9.9.9] } }', 'regions.us.relays[0]: found "9.9.9.9", expected a mapping'],
  [
    'regions: { us: { relays: { address: 9.9.9.9 } } }',
    'regions.us.relays: found a mapping, expected a list of mappings',
  ],
  [
    'regions: { us: { relays: [{ weight: 1 }] } }',
    'regions.us.relays[0]: found a relay without an address, expected address, address6 or both',
  ],
  [
    'regions: { us: { relays: [{ address: "::1" }] } }',
    `regions.us.relays[0].address: found "::1", expected ${IPV4}`,
  ],
  [
    'regions: { us: { relays: [{ address: 0.0.0.0 }] } }',
    `regions.us.relays[0].address: found "0.0.0.0", expected ${IPV4}`,
  ],
  [
    'regions: { us: { relays: [{ address: 224.0.0.1 }] } }',
    `regions.us.relays[0].address: found "224.0.0.1", expected ${IPV4}`,
  ],
  [
    'regions: { us: { relays: [{ address6: 203.0.113.1 }] } }',
    `regions.us.relays[0].address6: found "203.0.113.1", expected ${IPV6}`,
  ],
  [
    'regions: { us: { relays: [{ address: 203.0.113.1, weight: -1 }] } }',
    `regions.us.relays[0].weight: found -1, expected ${WHOLE(0, 1_000_000)}`,
  ],
  [
    'regions: { us: { relays: [{ address: 203.0.113.1, group: A }] } }',
    `regions.us.relays[0].group: found "A", expected ${ID}, or null`,
  ],
  [
    'regions: { us: { relays: [{ address: 203.0.113.1, adress6: null }] } }',
    'regions.us.relays[0].adress6: found an unknown key, expected address6?',
  ],
  [
    'regions: { us: { relays: [{ address: 203.0.113.1 }, { address: 203.0.113.1 }] } }',
    'regions.us.relays[1].address: found 203.0.113.1, which regions.us.relays[0] has too, expected each address once',
  ],
  [
    'regions: { us: { relays: [{ address: 203.0.113.1 }] }, gb: { relays: [{ address: 203.0.113.2 }] } }',
    'defaultRegion: found nothing, expected one of us, gb',
  ],
];

describe('an error in one key', () => {
  it.each(PROBLEMS)('%s', (yaml, problem) => {
    expect(problemsOf(`${REGIONS}\n${yaml}\n`)).toEqual([problem]);
  });

  it.each(RELAY_PROBLEMS)('%s', (yaml, problem) => {
    expect(problemsOf(yaml)).toEqual([problem]);
  });
});

describe('errors', () => {
  it('are reported together, in the order of the file, each with its line', () => {
    const text = [
      'log: { level: loud }',
      'dns:',
      '  udp:',
      '    - "127.0.0.1:0"',
      '    - nowhere',
      '  workers: 100',
      'colour: red',
      REGIONS,
    ].join('\n');
    expect(linesOf(text).map((line) => line.replace(/: found.*/, ''))).toEqual([
      'test.yaml:1: log.level',
      'test.yaml:5: dns.udp[1]',
      'test.yaml:6: dns.workers',
      'test.yaml:7: colour',
    ]);
  });

  it('name a duplicate key', () => {
    const text = `${REGIONS}\nlog: { level: warn }\nlog: { level: info }\n`;
    expect(linesOf(text)).toEqual(['test.yaml:2: log: found the key a second time, expected each key once']);
  });

  it('say what a file is that is not a configuration', () => {
    expect(linesOf('')).toEqual(['test.yaml: found nothing in it, expected a mapping']);
    expect(linesOf('# nothing\n')).toEqual(['test.yaml: found nothing in it, expected a mapping']);
    expect(linesOf('just text')).toEqual(['test.yaml:1: found "just text", expected a mapping']);
    expect(linesOf('a: 1\n---\nb: 2\n')).toEqual([
      'test.yaml:2: found a second document, expected one document',
    ]);
    expect(linesOf(Uint8Array.of(0x61, 0xff))).toEqual(['test.yaml: found other bytes, expected UTF-8 text']);
    expect(linesOf('['.repeat(100_000)).length).toBeLessThanOrEqual(5);
    expect(linesOf('a: !secret aGk=\n')[0]).toContain('found an unknown tag, expected plain YAML');
    expect(linesOf('x'.repeat(2 ** 20 + 1))).toEqual([
      'test.yaml: found 1048577 bytes, expected at most 1048576',
    ]);
  });

  it('never quote a file that is not YAML: it may hold a secret', () => {
    for (const text of [
      'control: { adminKey: "hunter2" hunter2 }',
      'control:\n  adminKey: "hunter2',
      'a: *hunter2',
    ]) {
      const lines = linesOf(text);
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.join()).not.toContain('hunter2');
    }
  });

  it('of an unreadable file are one line', () => {
    const read = (file: string) => () => loadConfig({ file, env: {}, cwd: '/' });
    expect(read('none/here.yaml')).toThrow(
      /^none\/here\.yaml: found no such file, expected a configuration$/,
    );
    expect(read('tmp')).toThrow(/^tmp: found an unreadable file \(EISDIR\), expected a configuration$/);
  });
});
