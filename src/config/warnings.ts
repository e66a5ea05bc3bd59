import { parseAddress, scopeOf } from '../net/index.ts';
import { type Listener, listenersOf } from './listeners.ts';
import type { FileConfig } from './schema.ts';

const LEAST_ADMIN_KEY_CHARACTERS = 20;
// protocol.md: ddclient and inadyn refresh by force only every 25 and 30 days.
const LEAST_LEASE_DAYS = 31;

/** What is allowed and seldom meant, one line each: `key.path: ...`. For a configuration without faults. */
export function warningsOf(config: FileConfig): string[] {
  const listeners = listenersOf(config);
  const open = listeners.filter(isOpen);
  return [
    ...exposureWarnings(config, open),
    ...transportWarnings(config),
    ...engineWarnings(config),
    ...regionWarnings(config, open),
    ...accountWarnings(config),
  ];
}

function exposureWarnings({ registration, control }: FileConfig, open: readonly Listener[]): string[] {
  const warnings: string[] = [];
  const of = (key: string) => open.find((listener) => listener.key.startsWith(key));
  const dns = of('dns.');
  const api = of('control.');
  const metrics = of('metrics.');
  const shared = dns ?? api;
  if (registration.allowPrivate && shared) {
    const reason = `${shared.key} is open to more than this machine (${shared.text})`;
    warnings.push(`registration.allowPrivate: private addresses may register, and ${reason}`);
  }
  if (api && !control.publicUrl.startsWith('https://')) {
    const reason = `${api.key} is open to more than this machine, and control.publicUrl is not https`;
    warnings.push(`control.publicUrl: ${reason}: keys and secrets travel in the clear`);
  }
  if (dns && isLoopbackUrl(control.publicUrl)) {
    warnings.push(`control.publicUrl: ${control.publicUrl} leads nowhere but on this machine`);
  }
  if (metrics)
    warnings.push(`metrics.listen: ${metrics.text} serves whoever reaches it: keep it off the Internet`);
  return warnings;
}

function engineWarnings({ roles, dns }: FileConfig): string[] {
  if (!roles.includes('edge') || dns.xdp.interface === null || dns.engine === 'af-xdp') return [];
  return [`dns.xdp.interface: ${dns.xdp.interface} is served by sockets, as dns.engine is ${dns.engine}`];
}

function transportWarnings({ roles, dns }: FileConfig): string[] {
  if (!roles.includes('edge') || dns.udp.length > 0 === dns.tcp.length > 0) return [];
  return dns.tcp.length === 0
    ? ['dns.tcp: no listener: answers too large for UDP cannot be had (RFC 7766, section 5, asks for TCP)']
    : ['dns.udp: no listener: most devices ask over UDP alone'];
}

function regionWarnings({ regions, health }: FileConfig, open: readonly Listener[]): string[] {
  if (!open.some(({ key }) => key.startsWith('dns.'))) return [];
  const warnings: string[] = [];
  if (health.names.length === 0) {
    warnings.push('health.names: relays are not probed: one that is dead stays in the answers');
  } else if (health.names.length === 1) {
    warnings.push(`health.names: if ${health.names[0]} fails, all relays seem to: name a second one`);
  }
  for (const [region, { relays }] of Object.entries(regions)) {
    for (const [index, relay] of relays.entries()) {
      for (const address of [relay.address, relay.address6]) {
        const scope = address === null ? 'public' : scopeOf(parseAddress(address)!);
        if (scope === 'public') continue;
        warnings.push(`regions.${region}.relays[${index}]: ${address} is no public address (${scope})`);
      }
    }
  }
  return warnings;
}

function accountWarnings({ roles, registration, control }: FileConfig): string[] {
  if (!roles.includes('control')) return [];
  const warnings: string[] = [];
  if (registration.leaseDays < LEAST_LEASE_DAYS) {
    const reason = `routers that renew every 25 to 30 days lose their registration`;
    warnings.push(`registration.leaseDays: with less than ${LEAST_LEASE_DAYS}, ${reason}`);
  }
  if (control.adminKey !== '' && control.adminKey.length < LEAST_ADMIN_KEY_CHARACTERS) {
    warnings.push(`control.adminKey: fewer than ${LEAST_ADMIN_KEY_CHARACTERS} characters can be guessed`);
  }
  return warnings;
}

function isOpen({ socketAddress }: Listener): boolean {
  return scopeOf(socketAddress.address) !== 'loopback';
}

function isLoopbackUrl(text: string): boolean {
  const host = new URL(text).hostname.replace(/^\[(.*)\]$/, '$1');
  const address = parseAddress(host);
  return address === null ? host === 'localhost' : scopeOf(address) === 'loopback';
}
