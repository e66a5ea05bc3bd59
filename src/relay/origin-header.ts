import { type Address, type SocketAddress, writeProxyHeader } from '../net/index.ts';
import type { RelayContext } from './relay-context.ts';
import type { ClientSource } from './source.ts';

const NOTHING = new Uint8Array(0);

/**
 * PROXY header to send to the origin before the client's bytes; empty unless relay.proxyProtocolTo holds the
 * origin.
 * @param reached returns the local address the client connected to; called only if needed
 */
export function originHeader(
  { proxyProtocolOrigins, policy }: RelayContext,
  origin: Address,
  source: ClientSource,
  reached: () => SocketAddress,
): Uint8Array {
  if (!proxyProtocolOrigins.has(origin)) return NOTHING;
  return writeProxyHeader(source, reached(), policy.proxyProtocolVersion);
}
