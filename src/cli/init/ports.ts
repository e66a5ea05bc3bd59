import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { formatSocketAddress, parseAddress } from '../../net/index.ts';
import { ObstacleError } from './obstacle.ts';
import { type Holder, type Protocol, portHolders } from './port-holders.ts';

/** Listeners that one host opens beside those of its own addresses. */
const LOOPBACK_PORTS = [8080, 9153];
const PUBLIC_PORTS: readonly (readonly [Protocol, number])[] = [
  ['udp', 53],
  ['tcp', 53],
  ['tcp', 80],
  ['tcp', 443],
  ['udp', 443],
  ['tcp', 853],
];

/** Opens each port for a moment. @throws ObstacleError that names who holds the first taken one, and what to do */
export async function checkPorts(addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    for (const [protocol, port] of PUBLIC_PORTS) await checkPort(protocol, address, port);
  }
  for (const port of LOOPBACK_PORTS) await checkPort('tcp', '127.0.0.1', port);
}

async function checkPort(protocol: Protocol, address: string, port: number): Promise<void> {
  const code = protocol === 'tcp' ? await tryTcp(address, port) : await tryUdp(address, port);
  if (code === null) return;
  const where = `${protocol.toUpperCase()} port ${port} of ${address}`;
  if (code === 'EACCES') {
    throw new ObstacleError(
      `${where} may be opened by root only. Run init again as root: sudo mediastreamer init ...`,
    );
  }
  if (code !== 'EADDRINUSE') {
    throw new ObstacleError(
      `${where} cannot be opened (${code}). Check the address with ip address, and run init again.`,
    );
  }
  const holders = portHolders(protocol, address, port);
  throw new ObstacleError(
    `${where} is taken by ${named(holders)}. ${remedy(holders[0], port)} Then run init again.`,
  );
}

async function tryTcp(host: string, port: number): Promise<string | null> {
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  } finally {
    server.close();
  }
}

async function tryUdp(address: string, port: number): Promise<string | null> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.bind({ address, port, exclusive: true });
    await once(socket, 'listening');
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  } finally {
    socket.close();
  }
}

function named(holders: readonly Holder[]): string {
  if (holders.length === 0) return 'a process that this user may not see';
  return holders
    .map(({ name, pid, address, port }) => {
      const socket = formatSocketAddress({ address: parseAddress(address)!, port });
      return `${name} (process ${pid}, on ${socket})`;
    })
    .join(' and ');
}

/** Advice on freeing a port. */
function remedy(holder: Holder | undefined, port: number): string {
  if (holder === undefined) return `Find it as root with ss -lpn 'sport = :${port}', and stop it.`;
  if (holder.name.startsWith('systemd-resolve')) {
    return (
      'Its stub listener must give the port up: write the lines [Resolve] and DNSStubListener=no to ' +
      '/etc/systemd/resolved.conf.d/mediastreamer.conf, run ln -sf /run/systemd/resolve/resolv.conf /etc/resolv.conf and ' +
      'systemctl restart systemd-resolved; the host keeps resolving by its upstreams.'
    );
  }
  if (holder.name === 'node')
    return `Another MediaStreamer, or a Node program: stop it (kill ${holder.pid}).`;
  return `If nothing needs it, stop it for good: systemctl disable --now ${holder.name}, or kill ${holder.pid}.`;
}
