import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { formatAddress, formatSocketAddress, ListenError, type SocketAddress } from '../../net/index.ts';
import { shareListeners } from '../../sys/index.ts';
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

/** Shares inherited listeners among threads. @returns the listeners of each thread, and their distinct addresses */
export function shareAddresses(
  listeners: readonly SocketAddress[],
  threads: number,
): { addresses: SocketAddress[]; shares: SocketAddress[][] } {
  const addresses: SocketAddress[] = [];
  const shares: SocketAddress[][] = Array.from({ length: threads }, () => []);
  for (const [, sockets] of Map.groupBy(listeners, formatSocketAddress)) {
    const { address, port } = sockets[0]!;
    addresses.push({ address, port });
    const fds = shareListeners(
      sockets.map(({ fd }) => fd!),
      threads,
    );
    for (const [index, own] of fds.entries()) {
      shares[index]!.push(...own.map((fd) => ({ address, port, fd })));
    }
  }
  return { addresses, shares };
}
