import { parseAddress, parseSocketAddress, scopeOf } from '../net/index.ts';
import { collide, listenersOf } from './listeners.ts';
import type { Reader } from './read.ts';
import type { FileConfig, RelayConfig } from './schema.ts';

/** Checks rules between keys. Skips a check if a key that it reads is invalid, so that one mistake is one error. */
export function checkConfig(config: FileConfig, reader: Reader): void {
  if (!reader.isValid('roles')) return;
  checkDomain(config, reader);
  checkRoles(config, reader);
  checkListeners(config, reader);
  checkRegions(config, reader);
  checkDefaultRegion(config, reader);
  checkLimits(config, reader);
  checkTrustedProxies(config, reader);
  checkAdminKey(config, reader);
  checkOperatorKeys(config, reader);
  checkPrivateNames(config, reader);
  checkEgress(config, reader);
  checkTestZone(config, reader);
  checkCertificate(config, reader);
  checkXdp(config, reader);
  checkBundle(config, reader);
  checkReplicas(config, reader);
  checkRetention(config, reader);
}

/** A home that is away for one lease is still a customer. */
function checkRetention({ retention, registration }: FileConfig, reader: Reader): void {
  const { lapsedDays } = retention;
  if (!reader.isValid('retention.lapsedDays') || !reader.isValid('registration.leaseDays')) return;
  const least = 2 * registration.leaseDays;
  if (lapsedDays === null || lapsedDays >= least) return;
  reader.reject('retention.lapsedDays', `${lapsedDays}`, `at least ${least}, twice registration.leaseDays`);
}

function checkReplicas({ store, redis }: FileConfig, reader: Reader): void {
  if (!reader.isValid('store') || !reader.isValid('redis.waitReplicas')) return;
  if (store !== 'embedded' || redis.waitReplicas === 0) return;
  reader.reject('redis.waitReplicas', `${redis.waitReplicas}`, '0, as store is embedded');
}

/** Checks what `domain` and `acme` need. */
function checkDomain({ domain, address, address6, listenAddress, acme }: FileConfig, reader: Reader): void {
  if (domain !== null && address === null && address6 === null && reader.isValid('address')) {
    reader.reject('address', 'nothing', "this host's public IPv4 address, as domain is set");
  }
  if (listenAddress !== null && address === null && reader.isValid('address')) {
    reader.reject('listenAddress', listenAddress, 'address too: the public address that is mapped to it');
  }
  if (acme === null || !reader.isValid('acme')) return;
  if (domain === null) reader.reject('domain', 'nothing', 'a name for the certificate, as acme is set');
  if (!acme.agree) {
    const expected = `true: the terms of the CA at ${acme.directory} must be agreed to`;
    reader.reject('acme.agree', 'false', expected);
  }
}

function checkBundle({ catalog }: FileConfig, reader: Reader): void {
  const key = 'catalog.bundle.publicKey';
  if (!reader.isValid('catalog.bundle.url') || !reader.isValid(key)) return;
  const { url, publicKey } = catalog.bundle;
  if (url === null || publicKey !== null) return;
  reader.reject(key, 'nothing', 'the key that catalog keygen printed, as catalog.bundle.url is set');
}

function checkRoles({ roles, dns, control, relay, upstreams }: FileConfig, reader: Reader): void {
  if (roles.length === 0) reader.reject('roles', 'an empty list', 'at least one of control, edge, relay');
  if (roles.includes('edge')) {
    const keys = ['udp', 'tcp', 'tls', 'https'] as const;
    if (keys.every((key) => reader.isValid(`dns.${key}`) && dns[key].length === 0)) {
      reader.reject('dns.udp', 'no listener here nor in dns.tcp', 'one at least, as roles has edge');
    }
  }
  const resolves = roles.find((role) => role !== 'control');
  if (resolves !== undefined && reader.isValid('upstreams') && upstreams.length === 0) {
    reader.reject('upstreams', 'an empty list', `one at least, as roles has ${resolves}`);
  }
  if (roles.includes('relay')) {
    const keys = ['tls', 'http', 'quic'] as const;
    if (keys.every((key) => reader.isValid(`relay.${key}`) && relay[key].length === 0)) {
      const found = 'no listener here nor in relay.http or relay.quic';
      reader.reject('relay.tls', found, 'one at least, as roles has relay');
    }
  }
  if (roles.includes('control') && reader.isValid('control.listen') && control.listen.length === 0) {
    reader.reject('control.listen', 'an empty list', 'one address at least, as roles has control');
  }
}

/** Shorter keys can be guessed: the limit on wrong keys does not stop a right one. */
const MIN_OPEN_ADMIN_KEY_CHARACTERS = 16;

/** Accepts any admin key on loopback, for trials. */
function checkAdminKey({ roles, control }: FileConfig, reader: Reader): void {
  if (!roles.includes('control') || !reader.isValid('control.adminKey')) return;
  if (control.adminKey !== '') checkKeyLength('control.adminKey', control.adminKey, control, reader);
}

function checkOperatorKeys({ control }: FileConfig, reader: Reader): void {
  for (const [index, { id, key }] of control.keys.entries()) {
    const path = `control.keys[${index}]`;
    if (!reader.isValid(path)) continue;
    const other = control.keys.findIndex((one) => one.id === id);
    if (id === null) reader.reject(`${path}.id`, 'nothing', 'an id, so that keys can be told apart');
    else if (other < index)
      reader.reject(`${path}.id`, `"${id}", which control.keys[${other}] has too`, 'each id once');
    if (key === '') reader.reject(`${path}.key`, 'nothing', `a key, or sha256: and a key's digest`);
    else checkKeyLength(`${path}.key`, key, control, reader);
  }
}

function checkKeyLength(path: string, key: string, { listen }: FileConfig['control'], reader: Reader): void {
  if (key.length >= MIN_OPEN_ADMIN_KEY_CHARACTERS || !reader.isValid('control.listen')) return;
  if (listen.every((text) => scopeOf(parseSocketAddress(text)!.address) === 'loopback')) return;
  const expected = `at least ${MIN_OPEN_ADMIN_KEY_CHARACTERS} characters, as other machines reach control.listen`;
  reader.reject(path, 'a short string (not shown)', expected);
}

/** Checks what private names need in this process. */
function checkPrivateNames({ roles, store, privateNames }: FileConfig, reader: Reader): void {
  const { domain, key, edgeKey } = privateNames;
  if (domain === null || !reader.isValid('privateNames') || !reader.isValid('store')) return;
  for (const [path, text] of [
    ['privateNames.key', key],
    ['privateNames.edgeKey', edgeKey],
  ] as const) {
    if (text === '' || text.length >= MIN_OPEN_ADMIN_KEY_CHARACTERS) continue;
    const expected = `at least ${MIN_OPEN_ADMIN_KEY_CHARACTERS} characters, such as openssl rand -base64 24 makes`;
    reader.reject(path, 'a short string (not shown)', expected);
  }
  if (store === 'embedded') return;
  if (roles.includes('control')) {
    if (key === '')
      reader.reject('privateNames.key', 'nothing', 'one key on all controls, as store is Redis');
    return;
  }
  if (!roles.includes('edge') || edgeKey !== '') return;
  const expected = "the control's edgeKey, as this edge reports private names to the API of another process";
  reader.reject('privateNames.edgeKey', 'nothing', expected);
}

function checkListeners(config: FileConfig, reader: Reader): void {
  const listeners = listenersOf(config).filter(({ key }) => reader.isValid(key.replace(/\[\d+\]$/, '')));
  for (const [index, listener] of listeners.entries()) {
    const other = listeners.slice(0, index).find((earlier) => collide(earlier, listener));
    if (other === undefined) continue;
    const same = other.text === listener.text ? '' : ` as ${other.text}`;
    const found = `${listener.text}, which ${other.key} opens too${same}`;
    reader.reject(listener.key, found, 'an address and port of its own');
  }
}

function checkRegions({ regions }: FileConfig, reader: Reader): void {
  if (reader.isValid('regions') && Object.keys(regions).length === 0) {
    reader.reject('regions', 'no region', 'at least one, with its relays');
  }
  for (const [region, { relays }] of Object.entries(regions)) {
    const key = `regions.${region}.relays`;
    if (region === 'off') {
      reader.reject('regions.off', 'the region "off"', 'another id: off means no relay for a service');
    }
    if (!reader.isValid(key)) continue;
    if (relays.length === 0) reader.reject(key, 'no relay', 'one at least');
    checkRelays(relays, key, reader);
  }
}

function checkRelays(relays: readonly RelayConfig[], key: string, reader: Reader): void {
  const firstKey = new Map<string, string>();
  for (const [index, relay] of relays.entries()) {
    const relayKey = `${key}[${index}]`;
    if (relay.address === null && relay.address6 === null) {
      reader.reject(relayKey, 'a relay without an address', 'address, address6 or both');
    }
    for (const name of ['address', 'address6'] as const) {
      const address = relay[name];
      if (address === null) continue;
      const other = firstKey.get(address);
      if (other === undefined) firstKey.set(address, relayKey);
      else reader.reject(`${relayKey}.${name}`, `${address}, which ${other} has too`, 'each address once');
    }
  }
}

function checkDefaultRegion({ regions, defaultRegion }: FileConfig, reader: Reader): void {
  if (!reader.isValid('regions') || !reader.isValid('defaultRegion')) return;
  const ids = Object.keys(regions);
  if (ids.length === 0) return;
  if (defaultRegion === null) {
    if (ids.length > 1) reader.reject('defaultRegion', 'nothing', `one of ${ids.join(', ')}`);
  } else if (!ids.includes(defaultRegion)) {
    reader.reject('defaultRegion', `"${defaultRegion}"`, `one of ${ids.join(', ')}`);
  }
}

function checkLimits({ cache, dns, relay }: FileConfig, reader: Reader): void {
  if (reader.isValid('cache') && cache.minTtlSeconds > cache.maxTtlSeconds) {
    const expected = `at most cache.maxTtlSeconds (${cache.maxTtlSeconds})`;
    reader.reject('cache.minTtlSeconds', String(cache.minTtlSeconds), expected);
  }
  const { connections, connectionsPerSource } = dns.tcpLimits;
  if (reader.isValid('dns.tcpLimits') && connectionsPerSource > connections) {
    const expected = `at most dns.tcpLimits.connections (${connections})`;
    reader.reject('dns.tcpLimits.connectionsPerSource', String(connectionsPerSource), expected);
  }
  const { engagePerSecond, samplePerSecond } = dns.shield;
  if (reader.isValid('dns.shield') && samplePerSecond > engagePerSecond) {
    const expected = `at most dns.shield.engagePerSecond (${engagePerSecond})`;
    reader.reject('dns.shield.samplePerSecond', String(samplePerSecond), expected);
  }
  const isGuarded = dns.engine === 'auto' || dns.engine === 'mmsg';
  if (reader.isValid('dns') && dns.shield.mode === 'on' && !isGuarded) {
    reader.reject('dns.shield.mode', '"on"', `auto or off, as dns.engine is ${dns.engine}`);
  }
  const { limits } = relay;
  if (reader.isValid('relay.limits') && limits.connectionsPerSource > limits.connections) {
    const expected = `at most relay.limits.connections (${limits.connections})`;
    reader.reject('relay.limits.connectionsPerSource', String(limits.connectionsPerSource), expected);
  }
}

/**
 * A trusted peer names its client: trusting everyone would let anyone register, and be answered as, any address.
 * proxyProtocolTo reveals clients' addresses, so it may only name the operator's own origins.
 */
function checkTrustedProxies({ control, dns, relay }: FileConfig, reader: Reader): void {
  const lists = {
    'control.trustedProxies': control.trustedProxies,
    'dns.proxyProtocolFrom': dns.proxyProtocolFrom,
    'relay.proxyProtocolFrom': relay.proxyProtocolFrom,
    'relay.proxyProtocolTo': relay.proxyProtocolTo,
  };
  for (const [key, prefixes] of Object.entries(lists)) {
    if (!reader.isValid(key)) continue;
    for (const [index, prefix] of prefixes.entries()) {
      if (!prefix.endsWith('/0')) continue;
      const expected = key.endsWith('To') ? 'the origins that are yours' : 'the proxies alone';
      reader.reject(`${key}[${index}]`, `${prefix}, which is everyone`, expected);
    }
  }
}

/** Proxies carry TCP only; each family has at most one local address. */
function checkEgress({ roles, relay }: FileConfig, reader: Reader): void {
  const { egress, quic, quicMode } = relay;
  if (!reader.isValid('relay.egress')) return;
  if (typeof egress === 'object' && 'localAddress' in egress) {
    const families = [egress.localAddress].flat().map((text) => parseAddress(text)!.family);
    const key = 'relay.egress.localAddress';
    const expected = 'an IPv4 address, an IPv6 address, or one of each';
    if (families.length === 0) reader.reject(key, 'nothing', expected);
    if (new Set(families).size < families.length) reader.reject(key, 'two of one family', expected);
    return;
  }
  if (egress.length === 0) reader.reject('relay.egress', 'an empty list', 'one proxy at least');
  if (!roles.includes('relay') || egress === 'direct' || quic.length === 0 || quicMode === 'refuse') return;
  reader.reject('relay.quicMode', `"${quicMode}"`, 'refuse, as the proxies of relay.egress carry TCP only');
}

/** Edges answer the self-test's names with the API's address and never resolve it for a query. */
function checkTestZone({ roles, dns, control }: FileConfig, reader: Reader): void {
  if (dns.testZone === null || !roles.includes('edge')) return;
  if (!['dns.testZone', 'control.publicUrl', 'control.addresses'].every((key) => reader.isValid(key))) return;
  const host = new URL(control.publicUrl).hostname.replace(/^\[(.*)\]$/, '$1');
  if (control.addresses.length > 0 || parseAddress(host) !== null) return;
  reader.reject('control.addresses', 'no address', `where ${host} is, for the names of dns.testZone`);
}

function checkCertificate({ roles, dns, tls, acme, domain }: FileConfig, reader: Reader): void {
  if (!roles.includes('edge') || dns.tls.length + dns.https.length === 0 || !reader.isValid('acme')) return;
  const reason = dns.tls.length > 0 ? 'dns.tls' : 'dns.https';
  // A certificate of our own files is never replaced by one of a CA.
  if (acme !== null && tls.certFile === null && tls.keyFile === null) return;
  const orAcme = domain === null ? '' : ' (or acme)';
  for (const name of ['certFile', 'keyFile'] as const) {
    const key = `tls.${name}`;
    if (!reader.isValid(key) || tls[name] !== null) continue;
    reader.reject(key, 'nothing', `a PEM file${orAcme}, as ${reason} has listeners`);
  }
}

function checkXdp({ roles, dns }: FileConfig, reader: Reader): void {
  if (!roles.includes('edge') || !['dns.engine', 'dns.xdp', 'dns.udp'].every((key) => reader.isValid(key)))
    return;
  if (dns.engine !== 'af-xdp') return;
  if (dns.xdp.interface === null) {
    reader.reject('dns.xdp.interface', 'nothing', 'a network interface, as dns.engine is af-xdp');
  }
  if (dns.udp.length === 0) {
    reader.reject('dns.udp', 'no listener', 'one at least, as dns.engine is af-xdp');
  }
}
