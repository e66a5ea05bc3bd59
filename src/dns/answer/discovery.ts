import { type SocketAddress, scopeOf } from '../../net/index.ts';
import { nameFromText } from '../../wire/index.ts';
import { DOH_PATH } from '../https/path.ts';

/** Keys of SVCB parameters (RFC 9460 14.3.2, RFC 9461 5). */
const ALPN = 1;
const PORT = 3;
const IPV4_HINT = 4;
const IPV6_HINT = 6;
const DOH_PATH_KEY = 7;

export interface DiscoveryOptions {
  /** Names in the certificate. */
  readonly names: readonly string[];
  readonly tls: readonly SocketAddress[];
  readonly https: readonly SocketAddress[];
}

/**
 * RDATA of the SVCB records that lead clients to our DNS over TLS and HTTPS (RFC 9462 4). The target is the
 * certificate's first name, because clients check it; public listener addresses become hints.
 * @returns none if the certificate has no name: clients could not verify it
 */
export function discoveryRecords({ names, tls, https }: DiscoveryOptions): Uint8Array[] {
  const target = names.length === 0 ? null : nameFromText(names[0]);
  if (target === null) return [];
  const path = Buffer.from(`${DOH_PATH}{?dns}`);
  return [
    ...tls.map((address) => record(1, target, ['dot'], address, null)),
    ...https.map((address) => record(2, target, ['h2', 'http/1.1'], address, path)),
  ];
}

function record(
  priority: number,
  target: Uint8Array,
  protocols: readonly string[],
  { address, port }: SocketAddress,
  path: Uint8Array | null,
): Uint8Array {
  const alpn = protocols.map((protocol) =>
    Buffer.concat([Uint8Array.of(protocol.length), Buffer.from(protocol)]),
  );
  const parts = [u16(priority), target, parameter(ALPN, Buffer.concat(alpn)), parameter(PORT, u16(port))];
  if (scopeOf(address) === 'public') {
    parts.push(parameter(address.family === 4 ? IPV4_HINT : IPV6_HINT, address.bytes));
  }
  if (path !== null) parts.push(parameter(DOH_PATH_KEY, path));
  return Uint8Array.from(Buffer.concat(parts));
}

function parameter(key: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([u16(key), u16(value.length), value]);
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}
