import { contains, parseAddress, parsePrefix, scopeOf } from '../net/index.ts';
import { reachedAt } from './derive.ts';
import { type Listener, listenersOf } from './listeners.ts';
import type { FileConfig } from './schema.ts';

const MIN_ADMIN_KEY_CHARACTERS = 20;
// ddclient and inadyn refresh an unchanged address only every 25 and 30 days.
const MIN_LEASE_DAYS = 31;

/** Lists settings that are allowed but rarely intended, as `key.path: ...`. The configuration must be valid. */
export function warningsOf(config: FileConfig): string[] {
  const listeners = listenersOf(config);
  const open = listeners.filter(isOpen);
  return [
    ...exposureWarnings(config, open),
    ...transportWarnings(config),
    ...engineWarnings(config),
    ...regionWarnings(config, open),
    ...pageWarnings(config),
    ...probeWarnings(config),
    ...probeRateWarnings(config),
    ...accountWarnings(config),
  ];
}

function exposureWarnings({ registration, control }: FileConfig, open: readonly Listener[]): string[] {
  const warnings: string[] = [];
  const firstOpen = (key: string) => open.find((listener) => listener.key.startsWith(key));
  const dns = firstOpen('dns.');
  const api = firstOpen('control.');
  const metrics = firstOpen('metrics.');
  const shared = dns ?? api;
  if (registration.allowPrivate && shared) {
    const reason = `${shared.key} is reachable from other machines (${shared.text})`;
    warnings.push(`registration.allowPrivate: private addresses may register, and ${reason}`);
  }
  if (api && !control.publicUrl.startsWith('https://')) {
    const reason = `${api.key} is reachable from other machines, and control.publicUrl is not https`;
    warnings.push(`control.publicUrl: ${reason}: keys and secrets travel unencrypted`);
  }
  if (dns && isLoopbackUrl(control.publicUrl)) {
    warnings.push(`control.publicUrl: ${control.publicUrl} works on this machine only`);
  }
  if (metrics) warnings.push(`metrics.listen: ${metrics.text} needs no key: keep it off the Internet`);
  return warnings;
}

function engineWarnings({ roles, dns }: FileConfig): string[] {
  if (!roles.includes('edge') || dns.xdp.interface === null || dns.engine === 'af-xdp') return [];
  return [`dns.xdp.interface: ignored: dns.engine is ${dns.engine}, not af-xdp`];
}

function transportWarnings({ roles, dns }: FileConfig): string[] {
  if (!roles.includes('edge') || dns.udp.length > 0 === dns.tcp.length > 0) return [];
  return dns.tcp.length === 0
    ? ['dns.tcp: no listener: answers too large for UDP are lost (RFC 7766, section 5, requires TCP)']
    : ['dns.udp: no listener: most devices use UDP only'];
}

function regionWarnings(config: FileConfig, open: readonly Listener[]): string[] {
  const { regions, health } = config;
  if (!open.some(({ key }) => key.startsWith('dns.'))) return [];
  const warnings: string[] = [];
  if (health.names.length === 0 && !isOnlyRelay(config)) {
    warnings.push('health.names: relays are not probed: a dead relay stays in the answers');
  } else if (health.names.length === 1) {
    warnings.push(`health.names: if ${health.names[0]} fails, every relay looks down: add a second name`);
  }
  for (const [region, { relays }] of Object.entries(regions)) {
    for (const [index, relay] of relays.entries()) {
      for (const address of [relay.address, relay.address6]) {
        const scope = address === null ? 'public' : scopeOf(parseAddress(address)!);
        if (scope === 'public') continue;
        warnings.push(`regions.${region}.relays[${index}]: ${address} is not a public address (${scope})`);
      }
    }
  }
  return warnings;
}

/** True if this process is the one relay: it answers no query while its relay is down. */
function isOnlyRelay({ roles, regions, address, address6 }: FileConfig): boolean {
  const own = [null, address, address6];
  const relays = Object.values(regions).flatMap((region) => region.relays);
  return (
    roles.includes('relay') && relays.every((one) => own.includes(one.address) && own.includes(one.address6))
  );
}

/** Names what a public page cannot show. */
function pageWarnings({ roles, dns, control }: FileConfig): string[] {
  if (!roles.includes('control') || isLoopbackUrl(control.publicUrl)) return [];
  const warnings: string[] = [];
  if (control.dnsAddresses.length === 0) {
    warnings.push(
      "control.dnsAddresses: empty: the page tells nobody which DNS server to enter: list the edges' addresses",
    );
  }
  if (dns.testZone === null) {
    warnings.push(
      'dns.testZone: not set: the page cannot check a device: choose a zone below a domain of yours',
    );
  }
  return warnings;
}

/** An edge that probes a relay of its own process must be let in, or the relay looks down for ever. */
function probeWarnings(config: FileConfig): string[] {
  const { roles, regions, relay, health } = config;
  if (!roles.includes('edge') || !roles.includes('relay') || health.names.length === 0) return [];
  const admitted = relay.probeSources.map((text) => parsePrefix(text)!);
  const relays = Object.values(regions).flatMap(({ relays }) =>
    relays.flatMap(({ address, address6 }) =>
      [address, address6].filter((text) => text !== null).map((text) => reachedAt(text, config)),
    ),
  );
  // A connection to an address of the host itself comes from that address.
  const own = relays.filter((text) => relay.tls.some((listener) => hostOf(listener) === text));
  const missing = own.filter((text) => !admitted.some((prefix) => contains(prefix, parseAddress(text)!)));
  if (missing.length === 0 && (own.length > 0 || admitted.length > 0)) return [];
  const add = missing.length > 0 ? missing.join(', ') : "this host's address";
  return [`relay.probeSources: health probes of this process cannot enter its own relay: add ${add}`];
}

/** A relay that hangs holds a probe for the whole timeout, so a black hole of many delays finding the others. */
function probeRateWarnings({ roles, regions, health }: FileConfig): string[] {
  if (!roles.includes('edge') || health.names.length === 0) return [];
  const relays = Object.values(regions).flatMap((region) => region.relays);
  const addresses = new Set(relays.flatMap(({ address, address6 }) => [address, address6].filter(Boolean)));
  const { concurrency, intervalSeconds, timeoutSeconds } = health;
  const seconds = Math.ceil(addresses.size / concurrency) * timeoutSeconds;
  const least = Math.ceil((addresses.size * timeoutSeconds) / intervalSeconds);
  if (addresses.size <= concurrency || seconds <= intervalSeconds) return [];
  const reason = `${addresses.size} relay addresses that hang take ${seconds} s to probe, longer than health.intervalSeconds`;
  return [`health.concurrency: ${reason} (${intervalSeconds}): set it to ${least} or more`];
}

function hostOf(listener: string): string {
  return listener.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

function accountWarnings({ roles, registration, control }: FileConfig): string[] {
  if (!roles.includes('control')) return [];
  const warnings: string[] = [];
  if (registration.leaseDays < MIN_LEASE_DAYS) {
    warnings.push(
      `registration.leaseDays: routers renew only every 25 to 30 days: set at least ${MIN_LEASE_DAYS}`,
    );
  }
  if (control.adminKey !== '' && control.adminKey.length < MIN_ADMIN_KEY_CHARACTERS) {
    warnings.push(`control.adminKey: fewer than ${MIN_ADMIN_KEY_CHARACTERS} characters can be guessed`);
  }
  return warnings;
}

/** Reachable from other machines. */
function isOpen({ socketAddress }: Listener): boolean {
  return scopeOf(socketAddress.address) !== 'loopback';
}

function isLoopbackUrl(text: string): boolean {
  const host = new URL(text).hostname.replace(/^\[(.*)\]$/, '$1');
  const address = parseAddress(host);
  return address === null ? host === 'localhost' : scopeOf(address) === 'loopback';
}
