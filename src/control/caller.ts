import type { IncomingMessage } from 'node:http';
import {
  type Address,
  contains,
  formatPrefix,
  type Prefix,
  parseAddress,
  registrationPrefix,
} from '../net/index.ts';
import { ProblemError } from './problem.ts';

/** `1.2.3.4:567` and `[::1]:5`, as some proxies write the elements of X-Forwarded-For. */
const WITH_PORT = /^(?:\[([^\]]+)\](?::\d{1,5})?|(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5})$/;

function parseForwarded(element: string): Address | null {
  const text = element.trim();
  const match = WITH_PORT.exec(text);
  return parseAddress(match === null ? text : (match[1] ?? match[2]!));
}

function isTrusted(address: Address, trustedProxies: readonly Prefix[]): boolean {
  return trustedProxies.some((prefix) => contains(prefix, address));
}

/** The address of the socket's other end; null if the socket is gone already. */
export function peerAddress(request: IncomingMessage): Address | null {
  const text = request.socket.remoteAddress;
  // A link-local peer carries its zone, "fe80::1%eth0".
  return text === undefined ? null : parseAddress(text.split('%', 1)[0]!);
}

/**
 * The address that a call comes from: the socket's, unless that is a trusted proxy's; then the right-most element
 * of X-Forwarded-For that is not a trusted proxy itself, as everything left of it may be the client's invention.
 * If all are trusted it is the left-most; without the header it is the proxy. X-Forwarded-Host and -Proto and
 * Forwarded are never read.
 *
 * @throws Problem `bad_forwarded_for` if an element that counts is no address
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

/** Names what limits count by: an IPv4 address or an IPv6 /64. */
export function sourceKey(address: Address): string {
  return formatPrefix(registrationPrefix(address));
}

/** True if both are one home as registrations see it: the same IPv4 address, or the same IPv6 /64. */
export function isSameHome(a: Address, b: Address): boolean {
  return sourceKey(a) === sourceKey(b);
}
