import { type Config, reachedAt } from '../../config/index.ts';
import { parseAddress, type SocketAddress } from '../../net/index.ts';
import type { OwnNamesPolicy } from '../../relay/index.ts';

const HTTPS_PORT = 443;

/** True if the relay of this process hands connections for the host's own names to its page and API. */
export function servesOwnNames({ domain, roles }: Config): boolean {
  return domain !== null && roles.includes('control') && roles.includes('relay');
}

/** Sockets of DNS over HTTPS where it shares the host's name and port with the page; none elsewhere. */
export function ownHttps(config: Config): SocketAddress[] {
  if (!servesOwnNames(config) || !config.roles.includes('edge')) return [];
  const { protocol, port } = new URL(config.control.publicUrl);
  if (protocol !== 'https:') return [];
  const addresses = [config.address, config.address6].filter((text) => text !== null);
  return addresses.map((text) => ({
    address: parseAddress(text)!,
    port: port === '' ? HTTPS_PORT : Number(port),
  }));
}

/** Names of the service that its relay knows: those that this process serves, and those of the self-test. */
export function ownNamesOf(config: Config): OwnNamesPolicy {
  const { domain, dns, control } = config;
  const { testZone } = dns;
  const serves = servesOwnNames(config);
  const urls = [control.publicUrl, control.familyUrls.ipv4, control.familyUrls.ipv6];
  const hosts = urls.flatMap((url) => (url === null ? [] : [new URL(url).hostname]));
  const names = [domain, ...hosts].filter((host) => host !== null && isName(host)) as string[];
  const { protocol, port } = new URL(control.publicUrl);
  // The self-test's names need https, as the server name is what a relay reads.
  const isRelayed = testZone !== null && protocol === 'https:' && control.addresses.length > 0;
  return {
    exact: serves ? [...new Set(names)] : [],
    below: serves && testZone !== null ? [`reached.${testZone}`, `registered.${testZone}`] : [],
    relayed: isRelayed ? `relayed.${testZone}` : null,
    controlAddresses: control.addresses.map((text) => reachedAt(text, config)),
    controlPort: port === '' ? HTTPS_PORT : Number(port),
  };
}

function isName(host: string): boolean {
  return host !== 'localhost' && parseAddress(host.replace(/^\[(.*)\]$/, '$1')) === null;
}
