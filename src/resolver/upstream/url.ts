import { formatAddress, parseAddress } from '../../net/index.ts';
import { UpstreamUrlError } from '../errors.ts';

export type UpstreamScheme = 'udp' | 'tcp';

/** One upstream, as the configuration names it. */
export interface UpstreamConfig {
  /** As it was written. */
  readonly url: string;
  readonly scheme: UpstreamScheme;
  /** An IP literal, canonical; a link-local one carries its zone (`fe80::1%eth0`). */
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
}

const DNS_PORT = 53;
const EXPECTED =
  'udp://ADDRESS[:PORT] or tcp://ADDRESS[:PORT], the address an IP literal, IPv6 in brackets (udp://[2001:db8::53]:53)';
const URL_TEXT = /^([a-z]+):\/\/(?:\[([^\]]+)\]|([^:/#[\]]+))(?::(\d{1,5}))?(#.*)?$/;
/** An interface name of Linux, or an interface's number (RFC 4007 11). */
const ZONE_TEXT = /^[\w.-]{1,15}$/;

/**
 * Reads an upstream: `udp://192.0.2.53:53`, `tcp://[2001:db8::53]`; without a port, 53.
 * @throws UpstreamUrlError naming what was found and what was expected.
 */
export function parseUpstream(text: string): UpstreamConfig {
  const match = URL_TEXT.exec(text);
  if (match === null) throw new UpstreamUrlError(text, EXPECTED);
  const [, scheme, bracketed, bare, portText, verify] = match;
  if (scheme !== 'udp' && scheme !== 'tcp') throw new UpstreamUrlError(text, EXPECTED);
  if (verify !== undefined) {
    throw new UpstreamUrlError(text, `no #name, for ${scheme}:// has no certificate to verify against it`);
  }
  const literal = parseLiteral(bracketed ?? bare);
  if (literal === null || (literal.family === 6) !== (bracketed !== undefined)) {
    throw new UpstreamUrlError(text, EXPECTED);
  }
  const port = portText === undefined ? DNS_PORT : Number(portText);
  if (port < 1 || port > 65_535) throw new UpstreamUrlError(text, 'a port from 1 to 65535');
  return { url: text, scheme, ...literal, port };
}

/** An IP literal, with a zone if it is a link-local IPv6 address, in its canonical form. */
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
