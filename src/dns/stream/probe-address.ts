import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { formatAddress, ListenError, type SocketAddress } from '../../net/index.ts';
import type { StreamKey } from './worker-data.ts';

/**
 * Binds an address once without SO_REUSEPORT, which would hide that another process uses it, and replaces port 0 by a
 * free port. @throws ListenError
 */
export async function probeAddress(key: StreamKey, { address, port }: SocketAddress): Promise<SocketAddress> {
  const server = createServer();
  server.listen({ host: formatAddress(address), port, ipv6Only: address.family === 6, exclusive: true });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new ListenError(
      `dns.${key}`,
      { address, port },
      (error as NodeJS.ErrnoException).code ?? 'unknown',
    );
  }
  const bound = { address, port: (server.address() as AddressInfo).port };
  server.close();
  await once(server, 'close');
  return bound;
}
