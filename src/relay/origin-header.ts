import { type Address, type SocketAddress, writeProxyHeader } from '../net/index.ts';
import type { RelayContext } from './relay-context.ts';
import type { ClientSource } from './source.ts';

const NOTHING = new Uint8Array(0);

/**
 * What an origin is sent before all that the client sends: a PROXY header where it is one that is told of clients.
 * @param reached where the client connected to, asked for only then
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
