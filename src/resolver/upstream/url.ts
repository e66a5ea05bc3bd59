import { formatAddress, parseAddress } from '../../net/index.ts';
import { UpstreamUrlError } from '../errors.ts';

export type UpstreamScheme = 'udp' | 'tcp' | 'tls' | 'https';

/** A configured upstream. */
export interface UpstreamConfig {
  /** As written. */
  readonly url: string;
  readonly scheme: UpstreamScheme;
  /** A canonical IP literal; a link-local one has its zone (`fe80::1%eth0`). */
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
  /** For tls and https: name in the certificate; null: the address itself. */
  readonly serverName: string | null;
  /** For https: path of queries, `/dns-query`. */
  readonly path: string;
}

const DEFAULT_PORTS: Readonly<Record<UpstreamScheme, number>> = { udp: 53, tcp: 53, tls: 853, https: 443 };
const DEFAULT_PATH = '/dns-query';
const EXPECTED =
  'udp://, tcp://, tls:// or https://, then ADDRESS[:PORT], an IP literal, IPv6 in brackets (udp://[2001:db8::53]:53); ' +
  'for tls and https #NAME after it, which the certificate must be for (tls://192.0.2.53#dns.example.net)';
const URL_TEXT =
  /^(udp|tcp|tls|https):\/\/(?:\[([^\]]+)\]|([^:/#[\]]+))(?::(\d{1,5}))?(\/[\w./~-]*)?(?:#(.*))?$/;
/** A Linux interface name, or an interface number (RFC 4007 11). */
const ZONE_TEXT = /^[\w.-]{1,15}$/;
const HOST_NAME =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;

/**
 * Parses an upstream: `udp://192.0.2.53:53`, `tcp://[2001:db8::53]`, `tls://192.0.2.53#dns.example.net`,
 * `https://192.0.2.53/dns-query#dns.example.net`. Hosts are addresses, because there is nobody yet to resolve
 * a name.
 * @throws UpstreamUrlError naming what was found and what was expected
 */
export function parseUpstream(text: string): UpstreamConfig {
  const match = URL_TEXT.exec(text);
  if (match === null) throw new UpstreamUrlError(text, EXPECTED);
  const scheme = match[1] as UpstreamScheme;
  const [, , bracketed, bare, portText, path, serverName] = match;
  const encrypted = scheme === 'tls' || scheme === 'https';
  if (serverName !== undefined && !encrypted) {
    throw new UpstreamUrlError(text, `no #name, for ${scheme}:// has no certificate to verify against it`);
  }
  if (serverName !== undefined && !HOST_NAME.test(serverName)) {
    throw new UpstreamUrlError(text, 'a host name after #');
  }
  if (path !== undefined && scheme !== 'https') {
    throw new UpstreamUrlError(text, `no path, which only https:// has`);
  }
  const literal = parseLiteral(bracketed ?? bare);
  if (literal === null || (literal.family === 6) !== (bracketed !== undefined)) {
    throw new UpstreamUrlError(text, EXPECTED);
  }
  const port = portText === undefined ? DEFAULT_PORTS[scheme] : Number(portText);
  if (port < 1 || port > 65_535) throw new UpstreamUrlError(text, 'a port from 1 to 65535');
  return { url: text, scheme, ...literal, port, serverName: serverName ?? null, path: path ?? DEFAULT_PATH };
}

/** Parses an IP literal, with the zone of a link-local IPv6 address, into its canonical form. */
export function parseLiteral(text: string): { address: string; family: 4 | 6 } | null {
  const percent = text.indexOf('%');
  const address = parseAddress(percent < 0 ? text : text.slice(0, percent));
  if (address === null) return null;
  if (percent < 0) return { address: formatAddress(address), family: address.family };
  const isLinkLocal = address.family === 6 && address.bytes[0] === 0xfe && (address.bytes[1] & 0xc0) === 0x80;
  const zone = text.slice(percent + 1);
  if (!isLinkLocal || !ZONE_TEXT.test(zone)) return null;
  return { address: `${formatAddress(address)}%${zone}`, family: 6 };
}
