import type { Config, LoadedConfig } from '../../config/index.ts';
import { MetricsListenError } from '../../metrics/scrape/index.ts';
import { formatAddress, ListenError, type SocketAddress, sameAddress } from '../../net/index.ts';
import { closeSocket, libc, listenTcp, openUdpSocket, SystemCallError, sharePort } from '../../sys/index.ts';
import { type InheritedSockets, SERVERS, type ServerName } from './inherited.ts';
import { threadsOf } from './threads.ts';

/** Kernel queue of a UDP socket: about 20 ms of a flood at full rate. */
const RECEIVE_BUFFER_BYTES = 4 << 20;
/** The kernel cuts it to net.core.somaxconn. */
const BACKLOG = 4096;

/** An open listening socket and the server that reads it. */
export interface ListeningSocket extends SocketAddress {
  readonly name: ServerName;
  readonly fd: number;
  /** True if the supervisor holds it: it takes the place of the configured addresses. */
  readonly isHeld: boolean;
}

/**
 * The listening sockets of a process, by server: inherited, or opened here. Where the platform allows it they are all opened
 * here and not by the engines that read them, so that they can be given to a process that takes over.
 */
export class ListeningSockets {
  private readonly inherited: InheritedSockets;
  /** Sockets of the process that is replaced which no server has taken yet. */
  private readonly received: Set<ListeningSocket>;
  private readonly opened: ListeningSocket[] = [];

  /** @param received from the process that is replaced */
  constructor(inherited: InheritedSockets, received: readonly ListeningSocket[] = []) {
    const held = Map.groupBy(
      received.filter(({ isHeld }) => isHeld),
      ({ name }) => name,
    );
    this.inherited = inherited.with(held);
    this.received = new Set(received);
  }

  /** Every socket that a server was given. Valid as long as the servers listen. */
  get all(): readonly ListeningSocket[] {
    return this.opened;
  }

  /** Puts the addresses of inherited sockets into a configuration. @throws InheritedSocketError */
  apply(loaded: LoadedConfig): LoadedConfig {
    return this.inherited.apply(loaded);
  }

  /**
   * Sockets of a server, which are the server's to close; addresses without a descriptor are the server's to bind. Called
   * once for each server.
   * @throws ListenError, MetricsListenError; none of this server's stay open then
   */
  listeners(config: Config, name: ServerName): SocketAddress[] {
    const isHeld = this.inherited.has(name);
    const own: SocketAddress[] = [];
    try {
      for (const address of this.inherited.listeners(config, name)) {
        if (address.fd !== undefined) own.push(address);
        else own.push(...(this.takeReceived(name, address) ?? openSockets(config, name, address)));
      }
    } catch (error) {
      for (const { fd } of own) if (fd !== undefined) closeSocket(fd);
      throw error;
    }
    for (const { address, port, fd } of own) {
      if (fd !== undefined) this.opened.push({ name, address, port, fd, isHeld });
    }
    for (const socket of this.received)
      if (own.some(({ fd }) => fd === socket.fd)) this.received.delete(socket);
    return own;
  }

  /** Closes the sockets of the process that is replaced which no server has taken: their addresses are not configured any longer. */
  closeUnused(): void {
    for (const { fd } of this.received) closeSocket(fd);
    this.received.clear();
  }

  /** Takes the sockets of an address; port 0 takes those of any one port. @returns null if there are none */
  private takeReceived(name: ServerName, { address, port }: SocketAddress): SocketAddress[] | null {
    const same = [...this.received].filter(
      (socket) => socket.name === name && !socket.isHeld && sameAddress(socket.address, address),
    );
    const wanted = port === 0 ? same[0]?.port : port;
    const taken = same.filter((socket) => socket.port === wanted);
    for (const socket of taken) this.received.delete(socket);
    return taken.length === 0 ? null : taken.map((socket) => ({ address, port: socket.port, fd: socket.fd }));
  }
}

/** Opens as many sockets of an address as its server has threads. */
function openSockets(config: Config, name: ServerName, at: SocketAddress): SocketAddress[] {
  const count = socketsOf(config, name);
  if (count === 0) return [at];
  const { address, port } = at;
  const { family, bytes } = address;
  const open = (number: number, reusePort: boolean): number =>
    SERVERS[name].type === 'tcp'
      ? listenTcp(address, number, BACKLOG, reusePort)
      : openUdpSocket({
          family,
          address: bytes,
          port: number,
          reusePort,
          receiveBufferBytes: RECEIVE_BUFFER_BYTES,
          receiveTimeoutMs: 0,
          packetInfo: false,
        });
  try {
    const { port: bound, fds } = sharePort(open, port, count);
    return fds.map((fd) => ({ address, port: bound, fd }));
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    throw listenError(name, at, error);
  }
}

function listenError(name: ServerName, at: SocketAddress, error: SystemCallError): Error {
  if (name !== 'metrics') return new ListenError(SERVERS[name].key, at, error.code);
  return new MetricsListenError({ address: formatAddress(at.address), port: at.port }, error);
}

/** Sockets of an address that a server reads; 0: the server binds the address itself. */
function socketsOf({ dns, relay }: Config, name: ServerName): number {
  if (libc() === null) return 0;
  const workers = threadsOf(dns.workers);
  switch (name) {
    case 'dns-udp':
      // AF_XDP takes packets past the sockets.
      if (dns.engine === 'af-xdp') return 0;
      return dns.engine === 'dgram' ? 1 : workers;
    case 'dns-tcp':
    case 'dns-tls':
    case 'dns-https':
      return workers;
    case 'relay-tls':
      return relay.engine === 'streams' ? 1 : threadsOf(relay.workers);
    default:
      return 1;
  }
}
