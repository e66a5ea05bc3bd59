import { lookup, Resolver } from 'node:dns/promises';
import { formatAddress, parseAddress, scopeOf } from '../../net/index.ts';

/** Addresses that records of the domain hold. */
export interface PublicAddresses {
  readonly address: string;
  /** Null: the host has no public IPv6 address. */
  readonly address6: string | null;
}

const TIMEOUT_MS = 3_000;

/** Lists the DNS records to create, a line each. The delegation lets the CA check wildcards; the rest works without it. */
export function recordLines(domain: string, { address, address6 }: PublicAddresses): string[] {
  const lines = [`${domain}.  300  IN  A     ${address}`];
  if (address6 !== null) lines.push(`${domain}.  300  IN  AAAA  ${address6}`);
  lines.push(
    `test.${domain}.  300  IN  NS    ${domain}.   (optional: certificate of the page’s device check)`,
  );
  return lines;
}

/** Looks the domain up. @returns one paragraph about what is wrong with its records; null: they point here */
export async function recordProblem(domain: string, own: PublicAddresses): Promise<string | null> {
  const ipv4 = await addressesOf(domain, 4);
  const ipv6 = await addressesOf(domain, 6);
  const create = 'Create the records above at the domain’s DNS provider';
  const again = 'a change takes as long as the old record’s TTL. Then run init again.';
  if (ipv4.length === 0 && ipv6.length === 0) {
    return `${domain} does not resolve: there is no such name, or it has no address yet. ${create}; ${again}`;
  }
  const foreign = ipv4.filter((text) => text !== own.address);
  if (ipv4.length === 0 || foreign.length > 0) {
    const found = ipv4.length === 0 ? 'has no A record' : `points to ${foreign.join(', ')}`;
    return (
      `${domain} ${found}, and this host is ${own.address}. Point its A record here (a proxy of the provider, such as ` +
      `Cloudflare’s orange cloud, must be off), or name the address that this host serves with --address; ${again}`
    );
  }
  const foreign6 = ipv6.filter((text) => text !== own.address6);
  if (foreign6.length > 0) {
    const has = own.address6 === null ? 'has no public IPv6 address' : `has ${own.address6}`;
    return (
      `${domain} has an AAAA record for ${foreign6.join(', ')}, and this host ${has}. The CA and browsers try IPv6 first and ` +
      `would reach another host. Remove the AAAA record, or set up that address here; ${again}`
    );
  }
  return null;
}

/** Addresses of a name. DNS first: /etc/hosts of a VPS often gives its own name a loopback address. */
export async function addressesOf(domain: string, family: 4 | 6): Promise<string[]> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 2 });
  try {
    const found = family === 4 ? await resolver.resolve4(domain) : await resolver.resolve6(domain);
    return found.map(canonical);
  } catch {
    const found = await lookup(domain, { all: true, family }).catch(() => []);
    return found
      .map(({ address }) => canonical(address))
      .filter((text) => scopeOf(parseAddress(text)!) !== 'loopback');
  }
}

function canonical(text: string): string {
  const address = parseAddress(text);
  return address === null ? text : formatAddress(address);
}
