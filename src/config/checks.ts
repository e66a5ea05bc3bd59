import { parseAddress } from '../net/index.ts';
import { collide, listenersOf } from './listeners.ts';
import type { Reader } from './read.ts';
import type { FileConfig, RelayConfig } from './schema.ts';

/**
 * What no key can show by itself: faults between keys. A check is left out where a key that it reads is at
 * fault, so that one slip is one fault.
 */
export function checkConfig(config: FileConfig, reader: Reader): void {
  if (!reader.isSound('roles')) return;
  checkRoles(config, reader);
  checkListeners(config, reader);
  checkRegions(config, reader);
  checkDefaultRegion(config, reader);
  checkLimits(config, reader);
  checkTrustedProxies(config, reader);
  checkEgress(config, reader);
  checkTestZone(config, reader);
  checkCertificate(config, reader);
  checkXdp(config, reader);
}

function checkRoles({ roles, dns, control, relay, upstreams }: FileConfig, reader: Reader): void {
  if (roles.length === 0) reader.fault('roles', 'an empty list', 'at least one of control, edge, relay');
  if (roles.includes('edge')) {
    const keys = ['udp', 'tcp', 'tls', 'https'] as const;
    if (keys.every((key) => reader.isSound(`dns.${key}`) && dns[key].length === 0)) {
      reader.fault('dns.udp', 'no listener here nor in dns.tcp', 'one at least, as roles has edge');
    }
  }
  const resolves = roles.find((role) => role !== 'control');
  if (resolves !== undefined && reader.isSound('upstreams') && upstreams.length === 0) {
    reader.fault('upstreams', 'an empty list', `one at least, as roles has ${resolves}`);
  }
  if (roles.includes('relay')) {
    const keys = ['tls', 'http', 'quic'] as const;
    if (keys.every((key) => reader.isSound(`relay.${key}`) && relay[key].length === 0)) {
      const found = 'no listener here nor in relay.http or relay.quic';
      reader.fault('relay.tls', found, 'one at least, as roles has relay');
    }
  }
  if (roles.includes('control') && reader.isSound('control.listen') && control.listen.length === 0) {
    reader.fault('control.listen', 'an empty list', 'one address at least, as roles has control');
  }
}

function checkListeners(config: FileConfig, reader: Reader): void {
  const listeners = listenersOf(config).filter(({ key }) => reader.isSound(key.replace(/\[\d+\]$/, '')));
  for (const [index, listener] of listeners.entries()) {
    const other = listeners.slice(0, index).find((earlier) => collide(earlier, listener));
    if (other === undefined) continue;
    const same = other.text === listener.text ? '' : ` as ${other.text}`;
    const found = `${listener.text}, which ${other.key} opens too${same}`;
    reader.fault(listener.key, found, 'an address and port of its own');
  }
}

function checkRegions({ regions }: FileConfig, reader: Reader): void {
  if (reader.isSound('regions') && Object.keys(regions).length === 0) {
    reader.fault('regions', 'no region', 'at least one, with its relays');
  }
  for (const [region, { relays }] of Object.entries(regions)) {
    const key = `regions.${region}.relays`;
    if (region === 'off') {
      reader.fault('regions.off', 'the region "off"', 'another id: off means no relay for a service');
    }
    if (!reader.isSound(key)) continue;
    if (relays.length === 0) reader.fault(key, 'no relay', 'one at least');
    checkRelays(relays, key, reader);
  }
}

function checkRelays(relays: readonly RelayConfig[], key: string, reader: Reader): void {
  const firstKey = new Map<string, string>();
  for (const [index, relay] of relays.entries()) {
    const relayKey = `${key}[${index}]`;
    if (relay.address === null && relay.address6 === null) {
      reader.fault(relayKey, 'a relay without an address', 'address, address6 or both');
    }
    for (const name of ['address', 'address6'] as const) {
      const address = relay[name];
      if (address === null) continue;
      const other = firstKey.get(address);
      if (other === undefined) firstKey.set(address, relayKey);
      else reader.fault(`${relayKey}.${name}`, `${address}, which ${other} has too`, 'each address once');
    }
  }
}

function checkDefaultRegion({ regions, defaultRegion }: FileConfig, reader: Reader): void {
  if (!reader.isSound('regions') || !reader.isSound('defaultRegion')) return;
  const ids = Object.keys(regions);
  if (ids.length === 0) return;
  if (defaultRegion === null) {
    if (ids.length > 1) reader.fault('defaultRegion', 'nothing', `one of ${ids.join(', ')}`);
  } else if (!ids.includes(defaultRegion)) {
    reader.fault('defaultRegion', `"${defaultRegion}"`, `one of ${ids.join(', ')}`);
  }
}

function checkLimits({ cache, dns, relay }: FileConfig, reader: Reader): void {
  if (reader.isSound('cache') && cache.minTtlSeconds > cache.maxTtlSeconds) {
    const expected = `at most cache.maxTtlSeconds (${cache.maxTtlSeconds})`;
    reader.fault('cache.minTtlSeconds', String(cache.minTtlSeconds), expected);
  }
  const { connections, connectionsPerSource } = dns.tcpLimits;
  if (reader.isSound('dns.tcpLimits') && connectionsPerSource > connections) {
    const expected = `at most dns.tcpLimits.connections (${connections})`;
    reader.fault('dns.tcpLimits.connectionsPerSource', String(connectionsPerSource), expected);
  }
  const { engagePerSecond, samplePerSecond } = dns.shield;
  if (reader.isSound('dns.shield') && samplePerSecond > engagePerSecond) {
    const expected = `at most dns.shield.engagePerSecond (${engagePerSecond})`;
    reader.fault('dns.shield.samplePerSecond', String(samplePerSecond), expected);
  }
  const isGuarded = dns.engine === 'auto' || dns.engine === 'mmsg';
  if (reader.isSound('dns') && dns.shield.mode === 'on' && !isGuarded) {
    reader.fault('dns.shield.mode', '"on"', `auto or off, as dns.engine is ${dns.engine}`);
  }
  const { limits } = relay;
  if (reader.isSound('relay.limits') && limits.connectionsPerSource > limits.connections) {
    const expected = `at most relay.limits.connections (${limits.connections})`;
    reader.fault('relay.limits.connectionsPerSource', String(limits.connectionsPerSource), expected);
  }
}

/**
 * A caller that is trusted names its client itself: trusting everyone would let anyone register any address, and be
 * answered as anyone. An origin that is told of clients is one of the operator's own.
 */
function checkTrustedProxies({ control, dns, relay }: FileConfig, reader: Reader): void {
  const lists = {
    'control.trustedProxies': control.trustedProxies,
    'dns.proxyProtocolFrom': dns.proxyProtocolFrom,
    'relay.proxyProtocolFrom': relay.proxyProtocolFrom,
    'relay.proxyProtocolTo': relay.proxyProtocolTo,
  };
  for (const [key, prefixes] of Object.entries(lists)) {
    if (!reader.isSound(key)) continue;
    for (const [index, prefix] of prefixes.entries()) {
      if (!prefix.endsWith('/0')) continue;
      const expected = key.endsWith('To') ? 'the origins that are yours' : 'the proxies alone';
      reader.fault(`${key}[${index}]`, `${prefix}, which is everyone`, expected);
    }
  }
}

/** Proxies carry TCP alone, and a family has one address to connect from. */
function checkEgress({ roles, relay }: FileConfig, reader: Reader): void {
  const { egress, quic, quicMode } = relay;
  if (!reader.isSound('relay.egress')) return;
  if (typeof egress === 'object' && 'localAddress' in egress) {
    const families = [egress.localAddress].flat().map((text) => parseAddress(text)!.family);
    const key = 'relay.egress.localAddress';
    const expected = 'an IPv4 address, an IPv6 address, or one of each';
    if (families.length === 0) reader.fault(key, 'nothing', expected);
    if (new Set(families).size < families.length) reader.fault(key, 'two of one family', expected);
    return;
  }
  if (egress.length === 0) reader.fault('relay.egress', 'an empty list', 'one proxy at least');
  if (!roles.includes('relay') || egress === 'direct' || quic.length === 0 || quicMode === 'refuse') return;
  reader.fault('relay.quicMode', `"${quicMode}"`, 'refuse, as the proxies of relay.egress carry TCP alone');
}

/** The self-test's names lead to the control API, and nobody is asked where that is while a query waits. */
function checkTestZone({ roles, dns, control }: FileConfig, reader: Reader): void {
  if (dns.testZone === null || !roles.includes('edge')) return;
  if (!['dns.testZone', 'control.publicUrl', 'control.addresses'].every((key) => reader.isSound(key))) return;
  const host = new URL(control.publicUrl).hostname.replace(/^\[(.*)\]$/, '$1');
  if (control.addresses.length > 0 || parseAddress(host) !== null) return;
  reader.fault('control.addresses', 'no address', `where ${host} is, for the names of dns.testZone`);
}

function checkCertificate({ roles, dns, tls }: FileConfig, reader: Reader): void {
  if (!roles.includes('edge') || dns.tls.length + dns.https.length === 0) return;
  const reason = dns.tls.length > 0 ? 'dns.tls' : 'dns.https';
  for (const name of ['certFile', 'keyFile'] as const) {
    const key = `tls.${name}`;
    if (!reader.isSound(key) || tls[name] !== null) continue;
    reader.fault(key, 'nothing', `a PEM file, as ${reason} has listeners`);
  }
}

function checkXdp({ roles, dns }: FileConfig, reader: Reader): void {
  if (!roles.includes('edge') || !['dns.engine', 'dns.xdp', 'dns.udp'].every((key) => reader.isSound(key)))
    return;
  if (dns.engine !== 'af-xdp') return;
  if (dns.xdp.interface === null) {
    reader.fault('dns.xdp.interface', 'nothing', 'a network interface, as dns.engine is af-xdp');
  }
  if (dns.udp.length === 0) {
    reader.fault('dns.udp', 'no listener', 'one at least, as dns.engine is af-xdp');
  }
}
