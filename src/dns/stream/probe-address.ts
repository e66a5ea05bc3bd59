import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { formatAddress, type SocketAddress } from '../../net/index.ts';
import { ListenError } from '../listen-error.ts';
import type { StreamKey } from './worker-data.ts';

/**
 * Finds out, by a socket without SO_REUSEPORT, whether another process has the address, and which port is free
 * where 0 was asked for.
 */
export async function probeAddress(key: StreamKey, { address, port }: SocketAddress): Promise<SocketAddress> {
  const server = createServer();
  server.listen({ host: formatAddress(address), port, ipv6Only: address.family === 6, exclusive: true });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new ListenError(key, { address, port }, (error as NodeJS.ErrnoException).code ?? 'unknown');
  }
  const bound = { address, port: (server.address() as AddressInfo).port };
  server.close();
  await once(server, 'close');
  return bound;
}
