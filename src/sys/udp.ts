import { type Libc, requireLibc } from './libc.ts';
import { Memory } from './memory.ts';
import { AF_INET, AF_INET6, encodeSocketAddress } from './socket.ts';

const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Of sockaddr_in6; the machine's order, which is little-endian wherever sys/ loads. */
const SCOPE_ID = 24;
const MAX_DATAGRAM_BYTES = 65_535;

/** Whom a connected socket speaks to. */
export interface UdpPeer {
  readonly family: 4 | 6;
  /** Network order, 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
  /** The interface's index for a link-local IPv6 address; else 0. */
  readonly scopeId: number;
}

/**
 * UDP sockets that speak to one peer each, as a client's do: the kernel draws the port at random, drops what comes from
 * anywhere else, and reports ICMP errors. Datagrams travel through two buffers that all sockets share.
 */
export class UdpClients {
  /** What `send` sends. */
  readonly outgoing: Uint8Array;
  /** What `receive` received. */
  readonly incoming: Uint8Array;
  private readonly libc: Libc = requireLibc();
  private readonly outgoingAddress: number;
  private readonly incomingAddress: number;

  constructor() {
    const [outgoing, incoming] = [new Memory(MAX_DATAGRAM_BYTES), new Memory(MAX_DATAGRAM_BYTES)];
    this.outgoing = outgoing.bytes;
    this.outgoingAddress = outgoing.address;
    this.incoming = incoming.bytes;
    this.incomingAddress = incoming.address;
  }

  /** As openUdpClient. */
  open(family: 4 | 6, name: Uint8Array): number {
    return openUdpClient(family, name);
  }

  /** Sends outgoing[0, length). @returns `length`, or -errno: that of an ICMP error that came before, too */
  send(fd: number, length: number): number {
    const sent = this.libc.send(fd, this.outgoingAddress, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent >= 0 ? sent : -this.libc.errno();
  }

  /** @returns bytes of the datagram, now in `incoming`; -errno: -EAGAIN where none is there */
  receive(fd: number): number {
    const count = this.libc.recv(fd, this.incomingAddress, MAX_DATAGRAM_BYTES, MSG_DONTWAIT);
    return count >= 0 ? count : -this.libc.errno();
  }
}

/**
 * Opens a socket that does not block and speaks to one peer.
 * @param name of the peer, by peerName
 * @returns the descriptor, or -errno
 */
export function openUdpClient(family: 4 | 6, name: Uint8Array): number {
  const libc = requireLibc();
  const domain = family === 4 ? AF_INET : AF_INET6;
  const fd = libc.socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -libc.errno();
  if (libc.connect(fd, name, name.length) === 0) return fd;
  const errno = libc.errno();
  libc.close(fd);
  return -errno;
}

/** A peer as the system calls want it. */
export function peerName({ family, address, port, scopeId }: UdpPeer): Uint8Array {
  const name = encodeSocketAddress(family, address, port);
  if (family === 6) new DataView(name.buffer).setUint32(SCOPE_ID, scopeId, true);
  return name;
}
