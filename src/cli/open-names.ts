import type { Config } from '../config/index.ts';
import type { OpenNamesOptions } from '../dns/index.ts';
import { type Address, parseAddress } from '../net/index.ts';

/**
 * Lists the names that edges answer for everyone: the API's own and dns.bootstrapNames, so that a device with a new
 * address can report it, and the self-test's zone.
 */
export function openNamesOf(config: Config): OpenNamesOptions {
  const { dns, control } = config;
  const { publicUrl, familyUrls } = control;
  const hosts = [publicUrl, familyUrls.ipv4, familyUrls.ipv6].flatMap((url) =>
    url === null ? [] : [hostOf(url)],
  );
  const own = hosts.filter((host) => parseAddress(host) === null && host !== 'localhost');
  const literal = parseAddress(hostOf(publicUrl));
  const configured = control.addresses.map((text) => parseAddress(text)!);
  const addresses = configured.length > 0 || literal === null ? configured : [literal];
  return {
    bootstrapNames: [...new Set([...own, ...dns.bootstrapNames])],
    testZone: dns.testZone,
    controlAddresses4: bytesOf(addresses, 4),
    controlAddresses6: bytesOf(addresses, 6),
    ...challenges(config),
  };
}

/** Names of ACME challenges that the edge answers where they are delegated to it, and its name for NS records. */
function challenges(config: Config): Pick<OpenNamesOptions, 'challengeNames' | 'nameServer'> {
  const { domain, acme } = config;
  if (domain === null || acme === null || acme.dnsHook !== null) return {};
  const zones = [domain, ...wildcardZones(config)];
  return { challengeNames: [...new Set(zones)].map((zone) => `_acme-challenge.${zone}`), nameServer: domain };
}

/** Zones of which every name directly below is in the certificate: the self-test's, and that of private names. */
export function wildcardZones({ dns: { testZone }, privateNames }: Config): string[] {
  const zones =
    testZone === null ? [] : ['reached', 'registered', 'relayed'].map((name) => `${name}.${testZone}`);
  return privateNames.domain === null ? zones : [...zones, privateNames.domain];
}

/** Returns the host in lower case, without brackets and root dot. */
function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

function bytesOf(addresses: readonly Address[], family: 4 | 6): Uint8Array {
  return Uint8Array.from(
    addresses.filter((address) => address.family === family).flatMap(({ bytes }) => [...bytes]),
  );
}
