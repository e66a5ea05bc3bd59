import type { IncomingMessage } from 'node:http';
import {
  type Address,
  contains,
  formatAddress,
  formatPrefix,
  type Prefix,
  parseAddress,
  registrationPrefix,
} from '../net/index.ts';
import { ProblemError } from './problem.ts';

/** `1.2.3.4:567` and `[::1]:5`: some proxies add the port to elements of X-Forwarded-For. */
const WITH_PORT = /^(?:\[([^\]]+)\](?::(\d{1,5}))?|(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5}))$/;

function parseForwarded(element: string): Address | null {
  const text = element.trim();
  const match = WITH_PORT.exec(text);
  if (match === null) return parseAddress(text);
  const [, ipv6, ipv6Port, ipv4, ipv4Port] = match;
  return Number(ipv6Port ?? ipv4Port ?? 0) > 65_535 ? null : parseAddress(ipv6 ?? ipv4!);
}

function isTrusted(address: Address, trustedProxies: readonly Prefix[]): boolean {
  return trustedProxies.some((prefix) => contains(prefix, address));
}

/** Returns the peer's address; null if the socket is already closed. */
export function peerAddress(request: IncomingMessage): Address | null {
  const text = request.socket.remoteAddress;
  // A link-local peer has a zone, "fe80::1%eth0".
  return text === undefined ? null : parseAddress(text.split('%', 1)[0]!);
}

/**
 * Returns the address that a call comes from: the peer's or, if the peer is a trusted proxy, the right-most element of
 * X-Forwarded-For that is not a trusted proxy, because the client can invent everything left of it. If all elements
 * are trusted, the left-most counts; without the header, the proxy. X-Forwarded-Host, X-Forwarded-Proto and Forwarded
 * are never read.
 *
 * @throws Problem `bad_forwarded_for` if an element on the way is not an address
 */
export function callerAddress(request: IncomingMessage, trustedProxies: readonly Prefix[]): Address {
  let caller = peerAddress(request);
  if (caller === null) throw new ProblemError('bad_request', { detail: 'The connection has no address.' });
  const header = request.headers['x-forwarded-for'];
  if (header === undefined || !isTrusted(caller, trustedProxies)) return caller;
  const elements = String(header).split(',');
  for (let index = elements.length - 1; index >= 0; index -= 1) {
    const address = parseForwarded(elements[index]!);
    if (address === null) throw new ProblemError('bad_forwarded_for');
    caller = address;
    if (!isTrusted(address, trustedProxies)) break;
  }
  return caller;
}

/** Returns the text by which an address is registered: an IPv4 address, or an IPv6 /64. */
export function registeredText(address: Address): string {
  return address.family === 4 ? formatAddress(address) : formatPrefix(registrationPrefix(address));
}

/** Returns the key that limits count by: an IPv4 address or an IPv6 /64. */
export function sourceKey(address: Address): string {
  return formatPrefix(registrationPrefix(address));
}

/** True if both addresses share one registration: the same IPv4 address, or the same IPv6 /64. */
export function isSameHome(a: Address, b: Address): boolean {
  return sourceKey(a) === sourceKey(b);
}
